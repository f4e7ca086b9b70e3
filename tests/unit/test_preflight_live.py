"""What the preflight asks Azure, and what it makes of the answers."""

from pathlib import Path
from typing import Any

from infra.preflight.live import PROVIDERS, AzError, Target, check

TARGET = Target(
    environment="test", location="eastus2", model_location="swedencentral", models={"gpt-4o": 100}
)
STORAGE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/stabc"


class FakeAz:
    """An Azure in which everything is as it should be, but for what a test says."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[list[str]] = []
        self._answers: dict[str, Any] = {
            "account show": {"name": "a subscription"},
            "provider list": [{"n": name, "s": "Registered"} for name in PROVIDERS],
            "functionapp list-flexconsumption-locations": [{"name": "East US 2"}],
            "functionapp list-flexconsumption-runtimes": [{"version": "3.13"}],
            "cognitiveservices usage": [usage(150)],
            "bicep build": {},
            "deployment sub": {"changes": [{"changeType": "Create", "resourceId": STORAGE}]},
            "storage account": {"nameAvailable": True},
            "keyvault list-deleted": [],
            "cognitiveservices account": [],
            **{name.replace("__", "-").replace("_", " "): one for name, one in answers.items()},
        }

    def __call__(self, arguments: list[str]) -> Any:
        """Answer what the first two words ask for."""
        self.asked.append(arguments)
        answer = self._answers[" ".join(arguments[:2])]
        if isinstance(answer, Exception):
            raise answer
        return answer


def usage(left: float) -> dict[str, Any]:
    """What is left of the quota of the model."""
    name = {"value": "OpenAI.GlobalStandard.gpt-4o"}
    return {"name": name, "limit": 450.0, "currentValue": 450.0 - left}


def texts(az: FakeAz) -> list[str]:
    """What is wrong."""
    return [one.text for one in check(Path("infra"), TARGET, az)]


def test_live_finds_nothing_where_nothing_is_wrong() -> None:
    """It has compiled both templates and let ARM plan the deployment by then."""
    az = FakeAz()
    assert texts(az) == []
    asked = [" ".join(one) for one in az.asked]
    assert sum("bicep build" in one for one in asked) == 2
    assert any("what-if" in one and "environmentName=test" in one for one in asked)
    assert not any("create" in one for one in asked)


def test_live_says_that_the_command_line_is_missing_and_stops() -> None:
    """Nothing else can be asked then."""
    az = FakeAz(account_show=AzError("the Azure CLI is missing"))
    assert texts(az) == ["the Azure CLI is missing"]
    assert len(az.asked) == 1


def test_live_goes_on_after_something_it_may_not_ask() -> None:
    """One refusal must not hide the rest."""
    az = FakeAz(cognitiveservices_usage=AzError("forbidden"), provider_list=[])
    assert "forbidden" in texts(az)
    assert any("az provider register --namespace Microsoft.App" in one for one in texts(az))


def test_live_finds_a_region_without_the_plan_or_the_runtime() -> None:
    """Both fail after minutes of provisioning otherwise."""
    elsewhere = FakeAz(functionapp_list__flexconsumption__locations=[{"name": "West X"}])
    assert texts(elsewhere) == ["has no Flex Consumption"]
    older = FakeAz(functionapp_list__flexconsumption__runtimes=[{"version": "3.12"}])
    assert texts(older) == ["Flex Consumption has no Python 3.13 there"]


def test_live_finds_too_little_quota_for_the_model() -> None:
    """In the region of the model, which may be another one."""
    (text,) = texts(FakeAz(cognitiveservices_usage=[usage(40)]))
    assert "40 of the 100 thousand tokens" in text


def test_live_finds_names_that_are_taken_or_not_free_again() -> None:
    """Names of storage accounts are the world's; those of deleted vaults stay for a week."""
    assert texts(FakeAz(storage_account={"nameAvailable": False})) == [
        "the name of the storage account is taken"
    ]
    az = FakeAz(keyvault_list__deleted=[{"name": "stabc"}])
    assert texts(az) == ["was deleted and must be purged: azd down --purge"]
