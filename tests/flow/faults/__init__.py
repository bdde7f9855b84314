"""Faults of LMSs, providers, databases, disks, clocks and machines, with a ledger."""
