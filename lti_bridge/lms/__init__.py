"""The LMS door: receive a launch, deliver a grade."""
