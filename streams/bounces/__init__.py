"""Why a message bounced, and which blocklists a refusal names.

In come reply code, enhanced status, diagnostic text and mailbox provider; out go one class and kind (hard, soft, block)
and the rule that said so. The rules are data, in `schemas`. Pure but for reading them, and it uses no other room.
Intake, jobs and api may import it.
"""
