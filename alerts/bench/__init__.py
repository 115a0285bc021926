"""Records per CPU-second of each stage, each as its real process on real Kafka.

traffic -> produce -> raw consumer | ingest -> windows -> alerts -> check against the truth -> report
"""
