//! The one list of metrics: name, type, labels and help. docs/metrics.md is held to it by a test.

/// What Prometheus calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows.
    Counter,
    /// Percentiles of now, with a sum and a count that only grow.
    Summary,
}

/// One metric.
#[derive(Debug)]
pub struct MetricDef {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its labels, in the order that values are given in.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: MetricDef =
                MetricDef { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*
        /// Every metric.
        pub const ALL: &[&MetricDef] = &[$(&$constant),*];
    };
}

metrics! {
    BILLED_FAILED: Gauge "bedrock_billed_failed_invocations" ["account_id", "aws_region", "model_id", "route", "evidence"]
        "Invocations over the correlation window that failed for the client and were billed all the same; the grades of evidence are disjoint and add up to the best estimate.";
    BILLED_FAILED_BOUND: Gauge "bedrock_billed_failed_invocations_bound" ["account_id", "aws_region", "model_id", "route", "bound"]
        "Bounds of the number of billed but failed invocations over the correlation window, all grades together.";
    BILLED_FAILED_COST: Gauge "bedrock_billed_failed_cost_usd" ["account_id", "aws_region", "model_id", "route", "evidence"]
        "US dollars that billed but failed invocations cost over the correlation window; models without a known price are left out.";
    BILLED_FAILED_TOTAL: Counter "bedrock_billed_failed_invocations_total" ["account_id", "aws_region", "model_id", "route", "evidence", "failure"]
        "Billed but failed invocations found, once each, when first concluded.";
    BILLED_FAILED_TOKENS_TOTAL: Counter "bedrock_billed_failed_tokens_total" ["account_id", "aws_region", "model_id", "route", "evidence", "kind"]
        "Tokens of the billed but failed invocations found.";
    BILLED_FAILED_COST_TOTAL: Counter "bedrock_billed_failed_cost_usd_total" ["account_id", "aws_region", "model_id", "route", "evidence"]
        "US dollars of the billed but failed invocations found.";
    BILLED_FAILED_RETRIES: Gauge "bedrock_billed_failed_retries" ["account_id", "aws_region", "model_id", "route", "evidence"]
        "Of the billed but failed invocations over the correlation window, those that were earlier attempts of a call that its client's SDK tried again.";
    INCIDENT_ACTIVE: Gauge "bedrock_incident_active" ["account_id", "aws_region", "model_id", "route", "cause"]
        "1 while an incident of this cause goes on, 0 otherwise.";
    INCIDENT_CAUSE_SCORE: Gauge "bedrock_incident_cause_score" ["account_id", "aws_region", "model_id", "route", "cause"]
        "The share of the evidence of the incident that goes on which points to this cause; absent while none goes on.";
    ESTIMATE_STATE: Gauge "bedrock_estimate_state" ["account_id", "aws_region", "model_id", "route", "state"]
        "1 for the state the estimate from metrics is in, 0 for the others.";
    UNPRICED_MODELS: Gauge "bedrock_unpriced_models" ["account_id", "aws_region"]
        "Models seen whose price is not known; their tokens are counted, their dollars are not.";
    CLIENT_FAILURES_TOTAL: Counter "bedrock_client_failures_total" ["account_id", "aws_region", "model_id", "route", "application", "failure", "exception"]
        "Failed calls that applications logged.";
    CLIENT_FAILURES_CONCLUDED_TOTAL: Counter "bedrock_client_failures_concluded_total" ["account_id", "aws_region", "model_id", "route", "outcome"]
        "Client failures by what became of them.";
    CLIENT_FAILURES_PENDING: Gauge "bedrock_client_failures_pending" ["account_id", "aws_region", "model_id", "route"]
        "Client failures whose invocation record may still come.";
    INVOCATIONS_TOTAL: Counter "bedrock_invocations_total" ["account_id", "aws_region", "model_id", "route"]
        "CloudWatch's Invocations.";
    INVOCATION_ERRORS_TOTAL: Counter "bedrock_invocation_errors_total" ["account_id", "aws_region", "model_id", "route", "class"]
        "CloudWatch's InvocationServerErrors, InvocationClientErrors and InvocationThrottles.";
    TOKENS_TOTAL: Counter "bedrock_tokens_total" ["account_id", "aws_region", "model_id", "route", "kind"]
        "CloudWatch's token counts.";
    COST_TOTAL: Counter "bedrock_cost_usd_total" ["account_id", "aws_region", "model_id", "route"]
        "US dollars for all tokens that CloudWatch counted, at the prices known.";
    LATENCY: Summary "bedrock_invocation_latency_seconds" ["account_id", "aws_region", "model_id", "route"]
        "CloudWatch's InvocationLatency: percentiles of the newest minute read, and sum and count of all of them.";
    TIME_TO_FIRST_TOKEN: Summary "bedrock_time_to_first_token_seconds" ["account_id", "aws_region", "model_id", "route"]
        "CloudWatch's TimeToFirstToken: percentiles of the newest minute read, and sum and count of all of them.";
    LOG_DELIVERY_FAILURES_TOTAL: Counter "bedrock_log_delivery_failures_total" ["account_id", "aws_region"]
        "Model invocation log events, or large bodies of them, that Bedrock could not deliver to CloudWatch Logs or to S3.";
    MONTHLY_BUDGET: Gauge "bedrock_monthly_budget_usd" []
        "The configured Bedrock spend a month that is meant not to be exceeded.";
    SOURCE_UP: Gauge "faultline_source_up" ["account_id", "aws_region", "source"]
        "Whether the source's last pass went well.";
    SOURCE_LAST_SUCCESS: Gauge "faultline_source_last_success_timestamp_seconds" ["account_id", "aws_region", "source"]
        "When a pass of the source last went well.";
    SOURCE_NEWEST_DATA: Gauge "faultline_source_newest_data_timestamp_seconds" ["account_id", "aws_region", "source"]
        "The time of the newest data the source has seen.";
    SOURCE_STATE: Gauge "faultline_source_state" ["account_id", "aws_region", "source", "state"]
        "1 for the state the source is in, 0 for the others.";
    SOURCE_SETTLE: Gauge "faultline_source_settle_seconds" ["account_id", "aws_region", "source"]
        "How old a minute of metrics must be to be taken as final, as learnt of the slowest series.";
    SOURCE_RESTARTS_TOTAL: Counter "faultline_source_restarts_total" ["account_id", "aws_region", "source"]
        "Times the source was built again after a panic.";
    LOG_EVENTS_MISSED_TOTAL: Counter "faultline_log_events_missed_total" ["account_id", "aws_region"]
        "Log events seen to have arrived later than the overlap; what they told was found late or not at all.";
    API_CALLS_TOTAL: Counter "faultline_aws_api_calls_total" ["api", "outcome"]
        "Calls to AWS.";
    API_COST_TOTAL: Counter "faultline_aws_api_cost_usd_total" ["api"]
        "US dollars that calls to AWS cost, at list price.";
    API_BUDGET: Gauge "faultline_api_budget_usd_per_month" ["account_id", "aws_region"]
        "US dollars that polling a cell's metrics may cost a month.";
    API_BUDGET_LIMITED: Gauge "faultline_api_budget_limited" ["account_id", "aws_region"]
        "Whether the budget makes polling a cell's metrics slower than configured.";
    LEDGER_ERRORS_TOTAL: Counter "faultline_ledger_errors_total" []
        "Commits that the ledger refused; each is tried again.";
    EVICTED_TOTAL: Counter "faultline_evicted_observations_total" ["account_id", "aws_region"]
        "Observations dropped before their time because a cap was reached.";
    BUILD_INFO: Gauge "faultline_build_info" ["version"]
        "1, with the version as a label.";
}
