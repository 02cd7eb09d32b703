"""Is money being lost now, by whom, and why?"""

from panels import BAD_ABOVE_ZERO, CELL, CLOUDWATCH, GREEN, ORANGE, RED, SCOPE, bars, dashboard, dashed, series, stat, table, thresholds, timeline

NAMED = f'bedrock_billed_failed_invocations{{{SCOPE},evidence=~"confirmed|probable"}}'
SERVER_ERRORS = f'rate(bedrock_invocation_errors_total{{{SCOPE},class="server"}}[$__rate_interval])'
INVOCATIONS = f"rate(bedrock_invocations_total{{{SCOPE}}}[$__rate_interval])"
LOST = f"increase(bedrock_billed_failed_cost_usd_total{{{SCOPE}}}[$__range])"
SPENT = f"increase(bedrock_cost_usd_total{{{SCOPE}}}[$__range])"
BY_SCOPE = "account_id, aws_region, model_id, route"

OVERVIEW = dashboard(
    "overview", "Overview", "Is money being lost to failed Bedrock calls now, by whom, and why?",
    [
        ("Now", 4, [
            (4, stat("Billed but failed", "Invocations of the correlation window (1 h by default) that failed for their user and were billed: confirmed and probable ones, each with its evidence in Faultline's ledger.", f"sum({NAMED})", steps=BAD_ABOVE_ZERO, decimals=0)),
            (4, stat("Their cost", "US dollars of the window, with what is expected beyond the named invocations. Models without a known price are left out.", f"sum(bedrock_billed_failed_cost_usd{{{SCOPE}}})", "currencyUSD", BAD_ABOVE_ZERO, decimals=2)),
            (4, stat("Share of spend that was lost", "Of the dollars spent over the dashboard's time range, those of calls that failed.", f"sum({LOST}) / (sum({SPENT}) > 0)", "percentunit", thresholds((None, GREEN), (0.001, ORANGE), (0.01, RED)), decimals=2)),
            (4, stat("Server errors", "Share of requests that ended in an error on AWS's side, by CloudWatch, over the last quarter of an hour. 0.1 % is what a month's 99.9 % allows.", f"sum({SERVER_ERRORS}) / (sum({SERVER_ERRORS}) + sum({INVOCATIONS}))", "percentunit", thresholds((None, GREEN), (0.001, ORANGE), (0.0144, RED)), "15m", 2)),
            (4, stat("Incidents", "Incidents that go on now; why is below.", f"sum(bedrock_incident_active{{{SCOPE}}})", steps=BAD_ABOVE_ZERO, decimals=0)),
            (4, stat("Sources that cannot be read", "Above 0 the other numbers are incomplete: see Faultline / Health.", f"count(faultline_source_up{{{CELL}}} == 0) or vector(0)", steps=BAD_ABOVE_ZERO, decimals=0)),
        ]),
        ("Is money being lost?", 9, [
            (12, series("Billed but failed, over the window", "The three grades add up to the best estimate. Confirmed: both halves known of the same request. Probable: matched without an id. Estimated: expected beyond the named ones. The bounds are those of all together.", [
                (f'sum by (evidence) (bedrock_billed_failed_invocations{{{SCOPE}}})', "{{evidence}}"),
                (f'sum(bedrock_billed_failed_invocations_bound{{{SCOPE},bound="lower"}})', "lower bound"),
                (f'sum(bedrock_billed_failed_invocations_bound{{{SCOPE},bound="upper"}})', "upper bound"),
            ], stack=True, overrides=[dashed("lower bound"), dashed("upper bound")])),
            (12, series("Dollars lost an hour, by model", "Cost of findings as they are concluded, at the price each finding names.", [
                (f"sum by (model_id) (rate(bedrock_billed_failed_cost_usd_total{{{SCOPE}}}[$__rate_interval])) * 3600 > 0", "{{model_id}}"),
            ], "currencyUSD", stack=True, interval=CLOUDWATCH)),
        ]),
        ("By whom?", 8, [
            (17, table("Models", "Over the correlation window; spend and requests over the dashboard's time range.", [
                ("Lost calls", f"sum by ({BY_SCOPE}) ({NAMED})", "short"),
                ("At least", f'sum by ({BY_SCOPE}) (bedrock_billed_failed_invocations_bound{{{SCOPE},bound="lower"}})', "short"),
                ("At most", f'sum by ({BY_SCOPE}) (bedrock_billed_failed_invocations_bound{{{SCOPE},bound="upper"}})', "short"),
                ("Cost", f"sum by ({BY_SCOPE}) (bedrock_billed_failed_cost_usd{{{SCOPE}}})", "currencyUSD"),
                ("Spend", f"sum by ({BY_SCOPE}) ({SPENT})", "currencyUSD"),
                ("Requests", f"sum by ({BY_SCOPE}) (increase(bedrock_invocations_total{{{SCOPE}}}[$__range]))", "short"),
            ], [("account_id", "Account"), ("aws_region", "Region"), ("model_id", "Model"), ("route", "Route")], "Lost calls")),
            (7, bars("Applications that logged failures", "Failed calls over the dashboard's time range, billed or not. An application that never appears here may not be read at all.", f"sort_desc(sum by (application) (increase(bedrock_client_failures_total{{{SCOPE}}}[$__range])) > 0)", "{{application}}", decimals=0)),
        ]),
        ("Why?", 8, [
            (12, timeline("Incidents by cause", "When an incident of each cause was going on in the models chosen.", [
                (f"max by (cause) (bedrock_incident_active{{{SCOPE}}})", "{{cause}}"),
            ], [(0, "quiet", GREEN), (1, "incident", RED)])),
            (12, series("Failed calls by kind", "What applications logged.", [
                (f"sum by (failure) (increase(bedrock_client_failures_total{{{SCOPE}}}[$__rate_interval])) > 0", "{{failure}}"),
            ], stack=True, bars=True, interval="1m", calcs=("sum",))),
        ]),
    ],
)
