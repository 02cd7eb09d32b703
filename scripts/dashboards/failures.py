"""What fails: by kind, cause and scope; the clients' view against AWS's."""

from panels import BAD_ABOVE_ZERO, CLOUDWATCH, GREEN, ORANGE, RED, SCOPE, bars, dashboard, series, stat, table, thresholds, timeline

FAILURES = f"bedrock_client_failures_total{{{SCOPE}}}"
BY_SCOPE = "account_id, aws_region, model_id, route"


def errors(kind):
    return f'bedrock_invocation_errors_total{{{SCOPE},class="{kind}"}}'


def logged(*kinds):
    return f'bedrock_client_failures_total{{{SCOPE},failure=~"{"|".join(kinds)}"}}'


FAILURES_DASHBOARD = dashboard(
    "failures", "Failures", "Failed calls by kind, cause and scope; what clients saw against what CloudWatch counts.",
    [
        ("Over the time range", 4, [
            (5, stat("Failed calls", "As applications logged them.", f"sum(increase({FAILURES}[$__range]))", steps=thresholds((None, GREEN), (1, ORANGE)), decimals=0)),
            (5, stat("Of those concluded, billed", "The share of failed calls whose invocation record shows tokens. Without a record is a third outcome: see below.", f'sum(increase(bedrock_client_failures_concluded_total{{{SCOPE},outcome="billed"}}[$__range])) / (sum(increase(bedrock_client_failures_concluded_total{{{SCOPE}}}[$__range])) > 0)', "percentunit", thresholds((None, GREEN), (0.01, ORANGE), (0.25, RED)), decimals=1)),
            (5, stat("Not yet concluded", "Their invocation record may still come.", f"sum(bedrock_client_failures_pending{{{SCOPE}}})", decimals=0)),
            (5, stat("Server errors", "Requests that CloudWatch counts as failed on AWS's side.", f"sum(increase({errors('server')}[$__range]))", steps=BAD_ABOVE_ZERO, decimals=0)),
            (4, stat("Throttled", "Requests that CloudWatch counts as throttled; an SDK's retries count too.", f"sum(increase({errors('throttle')}[$__range]))", steps=thresholds((None, GREEN), (1, ORANGE)), decimals=0)),
        ]),
        ("By kind", 9, [
            (12, series("Failed calls by kind", "What applications logged: connection_reset, read_timeout and the like never got an answer, service_unavailable is a 503, stream_error an exception frame mid-stream.", [
                (f"sum by (failure) (increase({FAILURES}[$__rate_interval])) > 0", "{{failure}}"),
            ], stack=True, bars=True, interval="1m", calcs=("sum",))),
            (12, series("What became of them", "billed: the record shows tokens. not_billed: it shows none. no_record: none came. expected: counted in the estimate only.", [
                (f"sum by (outcome) (increase(bedrock_client_failures_concluded_total{{{SCOPE}}}[$__rate_interval])) > 0", "{{outcome}}"),
            ], stack=True, bars=True, interval="1m", calcs=("sum",))),
            (12, bars("Billed, by kind of failure", "Findings over the time range.", f"sort_desc(sum by (failure) (increase(bedrock_billed_failed_invocations_total{{{SCOPE}}}[$__range])) > 0)", "{{failure}}", decimals=0)),
            (12, table("Exceptions", "Bedrock's exception where the text names one, over the time range.", [
                ("Calls", f"sum by (failure, exception, application) (increase({FAILURES}[$__range])) > 0", "short"),
            ], [("failure", "Failure"), ("exception", "Exception"), ("application", "Application")], "Calls")),
        ]),
        ("By cause", 7, [
            (12, timeline("Incidents by cause", "When an incident of each cause was going on.", [
                (f"max by (cause) (bedrock_incident_active{{{SCOPE}}})", "{{cause}}"),
            ], [(0, "quiet", GREEN), (1, "incident", RED)])),
            (12, bars("What the evidence points to", "The share of the evidence for each cause in the incidents of the models chosen, of the one it is strongest in; 1 is all of it.", f"sort_desc(max by (cause) (max_over_time(bedrock_incident_cause_score{{{SCOPE}}}[$__range])) > 0)", "{{cause}}", "percentunit", decimals=0)),
        ]),
        ("The clients' view against AWS's", 9, [
            (12, series("Server errors: clients and CloudWatch", "Calls that applications gave up, against requests that CloudWatch counts. More at CloudWatch: retries hide failures, or an application is not read. More at the clients: something between answers for Bedrock.", [
                (f"sum(rate({logged('service_unavailable', 'internal_error', 'model_error', 'model_timeout', 'stream_error')}[$__rate_interval])) * 60", "clients, a minute"),
                (f"sum(rate({errors('server')}[$__rate_interval])) * 60", "CloudWatch, a minute"),
            ], interval=CLOUDWATCH)),
            (12, series("Throttles: clients and CloudWatch", "The same for 429: the difference is what retries absorbed.", [
                (f"sum(rate({logged('throttled')}[$__rate_interval])) * 60 or vector(0)", "clients, a minute"),
                (f"sum(rate({errors('throttle')}[$__rate_interval])) * 60", "CloudWatch, a minute"),
            ], interval=CLOUDWATCH)),
            (12, series("Failures only clients can see", "Connections that were lost and answers nobody waited for: CloudWatch counts these requests as successes.", [
                (f"sum by (failure) (rate({logged('connection_reset', 'read_timeout', 'connect_error', 'stream_truncated')}[$__rate_interval])) * 60 > 0", "{{failure}}, a minute"),
            ], interval=CLOUDWATCH, stack=True)),
            (12, series("Billed attempts that an SDK tried again", "Of the billed but failed invocations of the correlation window, those that were earlier attempts of the same call: the log shows one failure for several charges.", [
                (f"sum by (evidence) (bedrock_billed_failed_retries{{{SCOPE}}})", "{{evidence}}"),
            ], stack=True)),
        ]),
        ("By scope", 9, [
            (12, series("Latency: 99 of 100 answers are faster", "CloudWatch's newest minute. A read timeout below this loses answers that are paid for.", [
                (f'max by (model_id, route) (bedrock_invocation_latency_seconds{{{SCOPE},quantile="0.99"}})', "{{model_id}} {{route}}"),
            ], "s")),
            (12, series("Time to first token: 9 of 10 are faster", "Streamed calls, CloudWatch's newest minute.", [
                (f'max by (model_id, route) (bedrock_time_to_first_token_seconds{{{SCOPE},quantile="0.9"}})', "{{model_id}} {{route}}"),
            ], "s")),
            (24, table("Scopes", "Over the time range.", [
                ("Requests", f"sum by ({BY_SCOPE}) (increase(bedrock_invocations_total{{{SCOPE}}}[$__range]))", "short"),
                ("Server errors", f"sum by ({BY_SCOPE}) (increase({errors('server')}[$__range]))", "short"),
                ("Client errors", f"sum by ({BY_SCOPE}) (increase({errors('client')}[$__range]))", "short"),
                ("Throttled", f"sum by ({BY_SCOPE}) (increase({errors('throttle')}[$__range]))", "short"),
                ("Failed calls logged", f"sum by ({BY_SCOPE}) (increase({FAILURES}[$__range]))", "short"),
                ("Billed but failed", f"sum by ({BY_SCOPE}) (increase(bedrock_billed_failed_invocations_total{{{SCOPE}}}[$__range]))", "short"),
            ], [("account_id", "Account"), ("aws_region", "Region"), ("model_id", "Model"), ("route", "Route")], "Billed but failed")),
        ]),
    ],
)
