"""What the guides show works as shown."""

import re
from pathlib import Path
from typing import Any

from shared.tools.embedded import sessionless_context
from shared.tools.registry import ToolRegistry

ROOT = Path(__file__).resolve().parents[2]


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


def test_docs_link_to_files_that_exist() -> None:
    """A guide that points nowhere is worse than none."""
    for page in (ROOT / "docs").rglob("*.md"):
        for target in re.findall(r"\]\(([\w./-]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)
        named = re.findall(r"`((?:tests|shared|simulator|functions)/[\w./]+)`", page.read_text())
        for name in named:
            is_shown = name == "shared/tools/branches.py"  # the reader's own, in the example
            assert is_shown or (ROOT / name).exists(), (page.name, name)
