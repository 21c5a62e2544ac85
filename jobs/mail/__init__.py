"""Mail to customers about their alerts and suspensions: what it says, in which language, as text and as HTML.

Comes in: what is known of an alert or a suspension, and templates and languages as files. Goes out: subject, text and
HTML, or a whole message. Nothing is asked or sent here. Imported by the command line and by rooms that send mail.
"""
