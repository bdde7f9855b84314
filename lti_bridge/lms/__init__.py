"""The bridge as LTI tool: receive a launch, deliver a grade."""
