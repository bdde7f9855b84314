"""Measuring the bridge: real servers, real signatures, beside a floor of the same run."""
