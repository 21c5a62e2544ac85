"""Telling people and other systems. Comes in: alerts and other events from Kafka, and the routes of the settings. Goes
out: signed webhooks, alerts for Alertmanager and PagerDuty, mail, chat; what is to be sent is stored before it is sent.

Imported by the command line and by the stack. `routing`, `quiet`, `lanes` and `templates` are pure.
"""
