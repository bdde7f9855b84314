"""What the demo's course shows in the end: tests/flow/test_demo.py takes these tests."""

GRADES = {"reasoning": "60.00", "reasoning-essay": "30.00"}
DESKS = {"reasoning-essay": "Mettl's desk"}
