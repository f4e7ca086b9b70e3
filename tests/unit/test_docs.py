"""What the guides show works as shown."""

import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

from shared.agent.loader import DEFINITIONS
from shared.agent.scenario import load_scenario
from shared.tools.embedded import sessionless_context
from shared.tools.registry import ToolRegistry, build_registry
from shared.types import AgentName

ROOT = Path(__file__).resolve().parents[2]
READERS_OWN = ("shared/tools/branches.py", "shared/agent/definitions/mortgage.yaml")
"""What the examples let the reader write."""


async def test_docs_example_tool_registers_and_runs() -> None:
    """The tool that docs/tools.md shows is complete: it is registered, checked and run."""
    guide = (ROOT / "docs" / "tools.md").read_text()
    (source,) = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    module: dict[str, Any] = {}
    exec(source, module)
    registry = ToolRegistry()
    module["register"](registry)
    context = sessionless_context()
    found = await registry.execute("find_branch", {"postal_code": "12345"}, context)
    assert found == {"success": True, "branch": "the one in 12345"}
    refused = await registry.execute("find_branch", {"postal_code": "x"}, context)
    assert refused["error"] == "invalid_arguments"


def test_docs_example_agent_and_scenario_load(tmp_path: Path) -> None:
    """The agent that docs/agents.md adds can be called, under the number that its scenario says."""
    guide = (ROOT / "docs" / "agents.md").read_text()
    agent, scenario = re.findall(r"```yaml\n(.*?)```", guide, flags=re.DOTALL)
    definitions = shutil.copytree(DEFINITIONS, tmp_path / "definitions")
    (definitions / "mortgage.yaml").write_text(textwrap.dedent(agent))
    (tmp_path / "own.yaml").write_text(scenario)
    own = load_scenario(str(tmp_path / "own.yaml"), build_registry(), definitions=definitions)
    assert list(own.agents) == ["concierge", "fraud", "mortgage"]
    assert own.agent_for("+15559990003") == "mortgage"
    assert own.agents[AgentName("fraud")].voice.rate == "-5%"


def test_docs_list_every_tool_with_its_policy() -> None:
    """The table is what an operator reads to know who may do what; it must not be last month's."""
    guide = (ROOT / "docs" / "tools.md").read_text()
    registry = build_registry()
    for name in registry.list_tools():
        policy = registry.get_tool_definition(name).policy
        limit = "" if policy.max_amount is None else f"{policy.max_amount:g}"
        cells = (
            f"`{name}`",
            policy.authentication.value,
            "yes" if policy.has_side_effects else "",
            "yes" if policy.needs_confirmation else "",
            limit,
            f"{policy.timeout_s:g} s",
            ", ".join(sorted(policy.callers)),
        )
        assert f"| {' | '.join(cells)} |" in guide, name
    listed = re.findall(r"^\| `(\w+)` \|.* (?:agent|http) \|$", guide, flags=re.MULTILINE)
    assert listed == registry.list_tools()


def test_docs_link_to_files_that_exist() -> None:
    """A guide that points nowhere is worse than none."""
    for page in (ROOT / "docs").rglob("*.md"):
        for target in re.findall(r"\]\(([\w./-]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)
        named = re.findall(r"`((?:tests|shared|simulator|functions)/[\w./]+)`", page.read_text())
        for name in named:
            assert name in READERS_OWN or (ROOT / name).exists(), (page.name, name)
