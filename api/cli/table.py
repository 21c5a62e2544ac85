"""Every command of `repmon`: its name, one line about it, and where it is defined. Nothing is imported here.

The order and the headings are those of `repmon --help`. The line is also how the command's own help begins.
"""

from api.cli.lazy import CommandEntry, Sections, Subgroup, Table

ALERTS = {
    "ack": CommandEntry("Acknowledge an alert", "api.cli.ack:acknowledge_alert"),
    "text": CommandEntry("Print an alert as a mail to the customer", "api.cli.alert_text:alert_text"),
}
SUSPEND_HOOK: Table = {
    "list": CommandEntry("Show what is in force, waits or fails", "api.cli.suspend_hook:list_measures"),
    "approve": CommandEntry("Approve what waits for two people", "api.cli.suspend_hook:approve_measure"),
    "breaker": Subgroup(
        "Close the breaker, which opens where many would be acted on",
        {"close": CommandEntry("Close the breaker", "api.cli.suspend_hook:close")},
        'repmon suspend-hook breaker close --by Ida --why "looked at each"',
    ),
}
LISTINGS = {"show": CommandEntry("Show one listing with its likeliest causes", "api.cli.listings:show")}
NOTIFY = {
    "routes": CommandEntry("Show the routes, and what waits and failed of each", "api.cli.notify:show_routes"),
    "test": CommandEntry("Send a marked example by one route", "api.cli.notify:test_route"),
    "failed": CommandEntry("Show notifications that no target took, newest first", "api.cli.notify:list_failed"),
    "retry": CommandEntry("Send notifications again that no target took", "api.cli.notify:retry"),
}

SECTIONS: Sections = {
    "Operate: run the stages, and what they need": {
        "up": CommandEntry("Run everything in one process, until stopped", "api.cli.up:up"),
        "collect": CommandEntry(
            "Receive webhooks, and reports by mail, and pass them to Kafka",
            "api.cli.collect:collect",
        ),
        "follow": CommandEntry("Send logs to the broker as they grow, until stopped", "api.cli.follow:follow"),
        "ingest": CommandEntry("Read events from Kafka, and count them in ClickHouse", "api.cli.ingest:ingest"),
        "monitor": CommandEntry("Judge changed customers, and send alerts", "api.cli.monitor:monitor"),
        "api": CommandEntry("Serve the HTTP interface, and the console with it", "api.cli.api:api"),
        "console": CommandEntry("Serve the operators' console of a deployment", "api.cli.console:console"),
        "scan-blocklists": CommandEntry(
            "Ask blocklists about addresses and domains in use", "api.cli.scan:scan_blocklists"
        ),
        "poll": Subgroup(
            "Ask mailbox providers what they report of your mail",
            {
                "postmaster": CommandEntry("Ask Gmail Postmaster Tools about your domains", "api.cli.poll:postmaster"),
                "snds": CommandEntry("Ask Microsoft SNDS about your addresses", "api.cli.poll:snds"),
                "list": CommandEntry("Show what was reported, by day", "api.cli.poll:list_reports"),
            },
            "repmon poll postmaster --every 6h",
        ),
        "notify": CommandEntry("Tell of alerts by the routes of the settings, until stopped", "api.cli.notify:notify"),
        "suspend-hook": CommandEntry(
            "Act on customers by their alerts, or say how it would", "api.cli.suspend_hook:suspend_hook"
        ),
        "migrate": CommandEntry("Bring the tables to the current version", "api.cli.migrate:migrate"),
        "backup": Subgroup(
            "Copy the embedded store while it runs, and put a copy back",
            {
                "create": CommandEntry("Copy the embedded store, while it runs or not", "api.cli.backup:create"),
                "list": CommandEntry("Show the backups in a folder, oldest first", "api.cli.backup:list_all"),
                "restore": CommandEntry(
                    "Put a backup in place of the embedded store, which must not run", "api.cli.backup:restore"
                ),
            },
            "repmon backup create --folder /mnt/backups",
        ),
        "export": Subgroup(
            "Write what is stored of a customer to a file",
            {
                "customer": CommandEntry(
                    "Write what is stored of a customer to a ZIP archive", "api.cli.export:customer"
                )
            },
            "repmon export customer acme --to acme.zip --by Ida --why 'asked for it'",
        ),
        "move": CommandEntry("Copy the embedded store of a data folder to a server", "api.cli.move:move_store"),
        "recount": CommandEntry("Count a time again, beside live traffic", "api.cli.recount:recount_time"),
        "erase": Subgroup(
            "Erase what is stored of a customer or a recipient",
            {
                "customer": CommandEntry("Erase a customer, or several, from every table", "api.cli.erase:customer"),
                "recipient": CommandEntry("Erase what is stored of a recipient's address", "api.cli.erase:recipient"),
            },
            "repmon erase customer acme --by Ida --why 'contract ended'",
        ),
        "topics": Subgroup(
            "Create the Kafka topics",
            {"create": CommandEntry("Create the topics that are missing", "api.cli.topics:create")},
            "repmon topics create",
        ),
        "dashboards": Subgroup(
            "Deploy the Grafana dashboards",
            {
                "deploy": CommandEntry(
                    "Create or update folder, data sources and dashboards", "api.cli.dashboards:deploy"
                ),
                "generate": CommandEntry("Write the JSON of each dashboard", "api.cli.dashboards:generate"),
            },
            "repmon dashboards deploy",
        ),
        "keys": Subgroup(
            "Create, list, rotate and revoke keys of the HTTP interface",
            {
                "create": CommandEntry("Create a key and show it, once", "api.cli.keys:create"),
                "list": CommandEntry("Show whose keys there are", "api.cli.keys:list_keys"),
                "revoke": CommandEntry(
                    "Revoke a key: every interface refuses it within two seconds", "api.cli.keys:revoke"
                ),
                "rotate": CommandEntry("Create a key in place of another and show it, once", "api.cli.keys:rotate"),
            },
            "repmon keys create --customer acme",
        ),
        "dead-letters": Subgroup(
            "Show messages that could not be read, and send them again",
            {
                "list": CommandEntry("Show dead letters, newest first", "api.cli.dead_letters:list_letters"),
                "show": CommandEntry("Show one dead letter, with its bytes", "api.cli.dead_letters:show"),
                "replay": CommandEntry("Send dead letters to their topic again", "api.cli.dead_letters:replay"),
            },
            "repmon dead-letters list --summary --since 24h",
        ),
        "zones": Subgroup(
            "Show and test the blocklists that are asked",
            {
                "list": CommandEntry("Show every list, and whether it is asked", "api.cli.zones:list_zones"),
                "test": CommandEntry("Test whether the lists can be trusted", "api.cli.zones:test_zones"),
            },
            "repmon zones test",
        ),
        "status": CommandEntry("Show on one page how the installation is", "api.cli.status:show_status"),
        "health": CommandEntry("Tell whether the stage on this machine is well", "api.cli.health:show_health"),
        "config": Subgroup(
            "Show the settings",
            {"show": CommandEntry("Print the settings in force, and where they are from", "api.cli.config:show")},
            "repmon config show",
        ),
        "completion": CommandEntry(
            "Print the script that completes commands in a shell", "api.cli.completion:completion"
        ),
    },
    "Decide: what is usual, and what is done about a customer": {
        "policy": Subgroup(
            "Check, try and apply the policy that is judged by",
            {
                "check": CommandEntry(
                    "Show every mistake of a policy, or its rules", "api.cli.policy_check:check_file"
                ),
                "diff": CommandEntry("Show what a policy would change", "api.cli.policy:diff"),
                "try": CommandEntry("Show whom a policy would have flagged or freed", "api.cli.try_policy:try_file"),
                "apply": CommandEntry("Put a policy in force", "api.cli.policy:apply_file"),
                "show": CommandEntry("Show the policy in force, and where it is from", "api.cli.policy:show"),
                "history": CommandEntry("Show which policies were applied", "api.cli.policy:show_history"),
            },
            "repmon policy check stricter.toml",
        ),
        "incidents": Subgroup(
            "What hit many customers together and is left out of verdicts",
            {
                "list": CommandEntry("Show incidents", "api.cli.incidents:list_incidents"),
                "show": CommandEntry("Show one incident", "api.cli.incidents:show_incident"),
                "declare": CommandEntry(
                    "Judge nobody by mail to a provider, or by a list's listings", "api.cli.incidents:declare"
                ),
                "dismiss": CommandEntry("Count the mail of an incident again", "api.cli.incidents:dismiss"),
            },
            "repmon incidents list --since 7d",
        ),
        "holds": Subgroup(
            "Alerts on which nobody acts until somebody decides",
            {
                "list": CommandEntry("Show holds", "api.cli.holds:list_holds"),
                "confirm": CommandEntry("Send held alerts again, as right", "api.cli.holds:confirm"),
                "release": CommandEntry("Resolve held alerts, as nobody's fault", "api.cli.holds:release"),
            },
            "repmon holds list",
        ),
        "override": Subgroup(
            "Limit the level that a rule gives a customer, until a time",
            {
                "add": CommandEntry("Let a rule give a customer no level worse than one", "api.cli.override:add"),
                "list": CommandEntry("Show the overrides in force", "api.cli.override:list_overrides"),
                "end": CommandEntry("End an override before its time", "api.cli.override:end"),
            },
            "repmon override list --customer acme",
        ),
        "suspend": CommandEntry("Record that a customer is suspended", "api.cli.suspend:suspend_customer"),
        "unsuspend": CommandEntry(
            "Record that a customer is no longer suspended", "api.cli.suspend:unsuspend_customer"
        ),
        "customers": Subgroup(
            "Keep the list of customers: plans, domains, contacts",
            {
                "import": CommandEntry("Import a list of customers", "api.cli.customers:import_list"),
                "set": CommandEntry("Add a customer, or change what is known of it", "api.cli.customers:set_one"),
                "remove": CommandEntry("Remove a customer from the list", "api.cli.customers:remove"),
                "list": CommandEntry("Show the list, by name", "api.cli.customers:list_customers"),
            },
            "repmon customers list --plan free",
        ),
    },
    "Ask: who stands where, and why": {
        "top": CommandEntry("Show the worst customers, live", "api.cli.top:show_top"),
        "alerts": CommandEntry("Show the alerts sent, oldest first", "api.cli.alerts:alerts"),
        "explain": CommandEntry("Explain why a customer stands where it stands", "api.cli.explain:explain_customer"),
        "listings": CommandEntry(
            "Show what is on blocklists, and whom it is attributed to", "api.cli.listings:list_listings"
        ),
        "audit": CommandEntry("Show who decided what, and what was found", "api.cli.audit:show_audit"),
    },
    "Try: with made-up mail, or with your own": {
        "demo": CommandEntry("Watch bad customers of a simulated fleet be found", "api.cli.demo:demo"),
        "simulate": CommandEntry("Send the traffic of a simulated fleet to the broker", "api.cli.simulate:simulate"),
        "ingest-file": CommandEntry(
            "Send real logs, or reports by mail, to the broker", "api.cli.ingest_file:ingest_file"
        ),
        "normalize": CommandEntry("Print the events of raw bodies, logs or mails", "api.cli.normalize:normalize_input"),
        "classify": CommandEntry("Classify bounces on standard input", "api.cli.classify:classify"),
        "judge": CommandEntry("Judge counts on standard input by a policy", "api.cli.judge:judge_counts"),
    },
}
