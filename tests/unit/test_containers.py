"""One list of containers: what the code expects is what the stand-in is given."""

from pathlib import Path

import yaml

from shared.records.containers import CONTAINERS, PARTITION_FIELD

LAYOUT = Path(__file__).parents[2] / "simulator" / "scenarios" / "containers.yaml"


def test_containers_are_those_of_the_stand_in() -> None:
    """A container that exists on one side only fails with the first document."""
    plan = yaml.safe_load(LAYOUT.read_text(encoding="utf-8"))
    planned = {name: options.get("ttl_s") for name, options in plan["containers"].items()}
    assert planned == {each.name: each.ttl_s for each in CONTAINERS}
    assert plan["partition_key"] == f"/{PARTITION_FIELD}"
