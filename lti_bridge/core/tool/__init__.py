"""What LTI tools keep at the bridge: launches, line items, and content that they offer."""
