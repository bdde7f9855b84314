"""What can be set for the demo provider: validation, form and docs come from these models."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from lti_bridge.providers.addresses import BaseAddress


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ConnectionSettings(_Model):
    """One account at the demo provider."""

    base_url: BaseAddress = Field(
        title="API address", description="What stands before /sessions and /tests."
    )
    api_key: SecretStr = Field(min_length=1, title="API key", description="Sent with every call.")


class ActivitySettings(_Model):
    """What an instructor chooses."""

    test: str = Field(
        pattern="^[a-z0-9-]{1,64}$", title="Test", description="Id of one of the provider's tests."
    )
    group: str = Field(
        "", max_length=255, title="Group", description="For markers; may be $Context.title."
    )
