"""placeholder until the real one lands"""
import logging, secrets
def configure(level, json=False): logging.basicConfig(level=level)
def reference(): return secrets.token_hex(5)
