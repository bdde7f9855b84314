"""What the bridge knows: launching, linking, results, passback, scoring; plain Python, no I/O."""
