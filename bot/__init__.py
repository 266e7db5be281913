"""掌柜 (Zhanggui): a shop's customer-service bot that can see."""

__version__ = "0.1.0"
