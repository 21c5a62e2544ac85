"""The embedded default: a broker process and a chDB store behind the same protocols as the real ones.

Comes in: the data folder and the ports. Goes out: a Kafka protocol and a ClickHouse HTTP interface on loopback, and a
lock and a note in the folder, by which other commands find what runs. Imported by the stack and the command line; what
runs against it cannot tell it from the real ones.
"""
