"""Whether Faultline sees, stores and serves what it should, and what that costs."""

from panels import BAD_ABOVE_ZERO, BLUE, CELL, CLOUDWATCH, GREEN, ORANGE, RED, SCOPE, YELLOW, dashboard, dashed, series, stat, table, thresholds, timeline

MONTH = "30 * 86400"
SOURCE = "account_id, aws_region, source"
ONE = "{{aws_region}} {{source}} ({{account_id}})"

HEALTH = dashboard(
    "health", "Health", "Sources, how old their data is, what polling costs, and the ledger.",
    [
        ("Now", 4, [
            (4, stat("Sources up", "Those whose last pass went well, of all.", f"sum(faultline_source_up{{{CELL}}}) / count(faultline_source_up{{{CELL}}})", "percentunit", thresholds((None, RED), (1, GREEN)), decimals=0)),
            (4, stat("Oldest read", "The source that was read well the longest ago.", f"max(time() - faultline_source_last_success_timestamp_seconds{{{CELL}}})", "s", thresholds((None, GREEN), (600, ORANGE), (1800, RED)), decimals=0)),
            (4, stat("CloudWatch polling, in 30 days", "What GetMetricData costs at the rate of the time range, at list price.", f"sum(rate(faultline_aws_api_cost_usd_total[$__range])) * {MONTH}", "currencyUSD", decimals=2)),
            (4, stat("Slowed down by its budget", "Accounts and regions whose metrics are polled less often than configured.", f"sum(faultline_api_budget_limited{{{CELL}}})", steps=thresholds((None, GREEN), (1, ORANGE)), decimals=0)),
            (4, stat("Ledger errors", "Commits that were refused over the time range; each is tried again.", "sum(increase(faultline_ledger_errors_total[$__range]))", steps=BAD_ABOVE_ZERO, decimals=0)),
            (4, stat("Version", "The version that runs.", "faultline_build_info", steps=thresholds((None, BLUE)), text="name", legend="{{version}}")),
        ]),
        ("Sources", 6, [
            (12, timeline("Sources", "Up means that the last pass went well, also where there was no traffic.", [
                (f"max by ({SOURCE}) (faultline_source_up{{{CELL}}})", ONE),
            ], [(0, "down", RED), (1, "up", GREEN)])),
            (12, table("State", "What each source last met; /api/v1/sources says what to do about it.", [
                ("Restarts", f"sum by ({SOURCE}, state) ((faultline_source_state{{{CELL}}} == 1) * on ({SOURCE}) group_left () faultline_source_restarts_total{{{CELL}}})", "short"),
            ], [("account_id", "Account"), ("aws_region", "Region"), ("source", "Source"), ("state", "State")], "Restarts")),
        ]),
        ("How old their data is", 8, [
            (12, series("Since the last good pass", "Grows while a source cannot be read.", [
                (f"time() - max by ({SOURCE}) (faultline_source_last_success_timestamp_seconds{{{CELL}}})", ONE),
            ], "s")),
            (12, series("Age of the newest data", "CloudWatch is minutes late by nature; logs are as old as the last failure.", [
                (f"time() - max by ({SOURCE}) (faultline_source_newest_data_timestamp_seconds{{{CELL}}})", ONE),
                (f"max by (account_id, aws_region) (faultline_source_settle_seconds{{{CELL}}})", "{{aws_region}} minutes are final after"),
            ], "s")),
        ]),
        ("AWS calls and what they cost", 9, [
            (12, series("Calls to AWS", "By operation and how they ended.", [
                ("sum by (api, outcome) (rate(faultline_aws_api_calls_total[$__rate_interval])) > 0", "{{api}} {{outcome}}"),
            ], "reqps", interval="1m", stack=True)),
            (12, series("Cost of polling, in 30 days", "At the rate of each point; the dashed line is the budget of one account and region.", [
                (f"sum by (api) (rate(faultline_aws_api_cost_usd_total[$__rate_interval])) * {MONTH} > 0", "{{api}}"),
                (f"max(faultline_api_budget_usd_per_month{{{CELL}}} < +Inf)", "budget"),
            ], "currencyUSD", interval=CLOUDWATCH, overrides=[dashed("budget")])),
        ]),
        ("Evidence", 9, [
            (12, series("Failures whose record may still come", "They are concluded when the record comes, or without it after the horizon.", [
                (f"sum by (model_id) (bedrock_client_failures_pending{{{SCOPE}}}) > 0", "{{model_id}}"),
            ], stack=True)),
            (12, timeline("How far the metrics can be trusted", "calibrated: they have been seen to add up. lower-bound: only the lower bound is used. uncalibrated: nothing is estimated from them.", [
                (f'max by (model_id, route) (bedrock_estimate_state{{{SCOPE},state="calibrated"}} * 2 or bedrock_estimate_state{{{SCOPE},state="lower-bound"}})', "{{model_id}} {{route}}"),
            ], [(0, "uncalibrated", RED), (1, "lower-bound", YELLOW), (2, "calibrated", GREEN)])),
            (12, series("What could not be used", "Log events that came later than the overlap, records that Bedrock could not deliver, observations dropped at a cap: each makes the numbers too low.", [
                (f"sum(increase(faultline_log_events_missed_total{{{CELL}}}[$__rate_interval]))", "log events too late"),
                (f"sum(increase(bedrock_log_delivery_failures_total{{{CELL}}}[$__rate_interval])) or vector(0)", "records not delivered"),
                (f"sum(increase(faultline_evicted_observations_total{{{CELL}}}[$__rate_interval]))", "observations dropped"),
            ], interval=CLOUDWATCH, bars=True, stack=True, calcs=("sum",))),
            (12, series("Ledger errors", "Commits that were refused.", [
                ("sum by (instance) (increase(faultline_ledger_errors_total[$__rate_interval]))", "{{instance}}"),
            ], interval=CLOUDWATCH, bars=True, calcs=("sum",))),
        ]),
    ],
)
