"""How the app gets to Azure: templates, package, preflight, smoke test. Never deployed itself."""
