"""`python -m lti_bridge` is the command `lti-bridge`."""

from lti_bridge.cli import main

main(prog_name="lti-bridge")
