"""What is spent, what is lost and how sure that is, where the month's budget is going, and what to do about it first."""

from panels import BAD_ABOVE_ZERO, BLUE, CLOUDWATCH, GREEN, ORANGE, RED, SCOPE, bars, dashboard, dashed, series, stat, table, thresholds

MONTH = "30 * 86400"
SPEND = f"bedrock_cost_usd_total{{{SCOPE}}}"
LOST = f"bedrock_billed_failed_cost_usd_total{{{SCOPE}}}"
FOUND = f"bedrock_billed_failed_invocations_total{{{SCOPE}}}"
BY_SCOPE = "account_id, aws_region, model_id, route"
MITIGATION = (
    "What each mitigation could have saved over the time range, in calls. read_timeout: raise the read timeout, no retries of it. "
    "service_unavailable, throttled: backoff with jitter, quota, provisioned throughput. connection_reset: keep-alive below 350 s, the network. "
    "stream_error, stream_truncated: go on from what arrived."
)

MONEY = dashboard(
    "money", "Money", "Spend, losses with their bounds, the month's budget, and which mitigation is worth most.",
    [
        ("Over the time range", 4, [
            (4, stat("Spend", "All tokens that CloudWatch counted, at the prices known. AWS's bill is the truth, a day later.", f"sum(increase({SPEND}[$__range]))", "currencyUSD", decimals=2)),
            (4, stat("Lost", "Findings at the price each names: what can be shown call by call.", f"sum(increase({LOST}[$__range]))", "currencyUSD", BAD_ABOVE_ZERO, decimals=2)),
            (4, stat("Share lost", "Lost dollars of all spent.", f"sum(increase({LOST}[$__range])) / (sum(increase({SPEND}[$__range])) > 0)", "percentunit", thresholds((None, GREEN), (0.001, ORANGE), (0.01, RED)), decimals=2)),
            (4, stat("Budget of the month", "`budget.monthly_usd` of the configuration.", "max(bedrock_monthly_budget_usd)", "currencyUSD", decimals=0)),
            (4, stat("At this rate, in 30 days", "The spend of the time range, drawn out to 30 days.", f"sum(rate({SPEND}[$__range])) * {MONTH}", "currencyUSD", decimals=0)),
            (4, stat("Models without a price", "Their tokens are counted, their dollars are not: add them to the price file.", "max(bedrock_unpriced_models) or vector(0)", steps=thresholds((None, GREEN), (1, ORANGE)), decimals=0)),
        ]),
        ("Spend", 9, [
            (12, series("Spend an hour, by model", "At list prices.", [
                (f"sum by (model_id) (rate({SPEND}[$__rate_interval])) * 3600", "{{model_id}}"),
            ], "currencyUSD", stack=True, interval=CLOUDWATCH)),
            (12, series("The month at this rate, and the budget", "Each point is the rate of its last hours drawn out to 30 days.", [
                (f"sum(rate({SPEND}[$__rate_interval])) * {MONTH}", "30 days at this rate"),
                ("max(bedrock_monthly_budget_usd)", "budget"),
            ], "currencyUSD", interval="1h", overrides=[dashed("budget")])),
        ]),
        ("Lost", 9, [
            (12, series("Cost of billed but failed calls, over the window", "By how sure it is. Estimated is priced at the mean of the named ones.", [
                (f"sum by (evidence) (bedrock_billed_failed_cost_usd{{{SCOPE}}})", "{{evidence}}"),
            ], "currencyUSD", stack=True)),
            (12, series("How many: best estimate and bounds", "All grades together, over the window. Certain is what lies under the lower bound.", [
                (f"sum(bedrock_billed_failed_invocations{{{SCOPE}}})", "best estimate"),
                (f'sum(bedrock_billed_failed_invocations_bound{{{SCOPE},bound="lower"}})', "lower bound"),
                (f'sum(bedrock_billed_failed_invocations_bound{{{SCOPE},bound="upper"}})', "upper bound"),
            ], overrides=[dashed("lower bound"), dashed("upper bound")])),
            (12, series("Dollars lost an hour, by model", "As findings are concluded.", [
                (f"sum by (model_id) (rate({LOST}[$__rate_interval])) * 3600 > 0", "{{model_id}}"),
            ], "currencyUSD", stack=True, interval=CLOUDWATCH)),
            (12, series("Tokens lost, by kind", "Input that was read for nothing, output that nobody got.", [
                (f"sum by (kind) (increase(bedrock_billed_failed_tokens_total{{{SCOPE}}}[$__rate_interval])) > 0", "{{kind}}"),
            ], stack=True, bars=True, interval=CLOUDWATCH, calcs=("sum",))),
        ]),
        ("What to do first", 9, [
            (8, bars("What each mitigation is worth", MITIGATION, f"sort_desc(sum by (failure) (increase({FOUND}[$__range])) > 0)", "{{failure}}", steps=thresholds((None, BLUE)), decimals=0)),
            (16, table("Where it is lost", "Over the time range.", [
                ("Lost", f"sum by ({BY_SCOPE}) (increase({LOST}[$__range]))", "currencyUSD"),
                ("Calls", f"sum by ({BY_SCOPE}) (increase({FOUND}[$__range]))", "short"),
                ("Spend", f"sum by ({BY_SCOPE}) (increase({SPEND}[$__range]))", "currencyUSD"),
                ("Retries among them", f"sum by ({BY_SCOPE}) (bedrock_billed_failed_retries{{{SCOPE}}})", "short"),
            ], [("account_id", "Account"), ("aws_region", "Region"), ("model_id", "Model"), ("route", "Route")], "Lost")),
        ]),
    ],
)
