"""Kind `demo`: the worked example of docs/adding-a-provider.md; needs no vendor."""

from lti_bridge.providers.demo.kind import KIND as KIND
