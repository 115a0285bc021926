"""The gateway: what providers post becomes records of `outcomes`, answered once Kafka has them.

door (whose, which endpoint, which secret) -> signature or token -> accept -> produce -> answer
"""
