"""What can be known about a deployment before there is one: ``python -m infra.preflight``."""
