"""What the demo's course shows in the end: tests/flow/test_demo.py takes these tests."""

GRADES = {"excel": "33.33", "excel-lti13": "33.33", "excel-level": "33.33"}
