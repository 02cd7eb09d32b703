//! What the text of a frame says, found in one pass: every phrase that names an outcome, an identity or a number.

use std::sync::LazyLock;

use crate::model::BedrockException as E;

/// What a phrase stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// An exception's name; as a frame of a stream it begins in lower case.
    Named(E),
    /// Bedrock's own message for it.
    Said(E),
    /// `An error occurred (CODE) when calling the NAME operation`.
    BotoError,
    /// The exception came as a frame of a stream.
    StreamFrame,
    /// It came as an HTTP answer.
    HttpAnswer,
    /// An HTTP status follows.
    Status,
    /// A stream ended before its last frame.
    Truncated,
    /// The connection was reset or closed.
    Reset,
    /// The same, in a word that means it only of Bedrock.
    Aborted,
    /// The client gave up waiting.
    Timeout,
    /// No connection could be made.
    Refused,
    /// An SDK's word for any trouble with a connection, which says more in its cause.
    Network,
    /// It can only be Bedrock.
    Bedrock,
    /// It speaks of Bedrock.
    Mention,
    /// An AWS service is named, or an operation of one: which, follows.
    Service,
    /// A URL or host that was called follows.
    Callee,
    /// A request id of AWS follows.
    RequestId,
    /// A model id follows.
    ModelField,
    /// `/model/…/operation`.
    ModelPath,
    /// An ARN that names a model.
    ModelArn,
    /// The operation follows.
    OperationField,
    /// The number of attempts follows.
    Attempts,
    /// The number of retries follows.
    Retries,
    /// Input tokens follow.
    InputTokens,
    /// The application's own id follows.
    OwnId,
    /// A duration follows.
    Elapsed,
    /// A library with its own HTTP or wire, in the path of a stack line: it is the one that failed. Or a protocol of
    /// AWS that Bedrock does not speak.
    Elsewhere,
    /// The Python of a client that can call Bedrock.
    Library,
    /// The call is made again.
    Again,
    /// It is not made again any more.
    Over,
}

use Signal as S;

#[rustfmt::skip]
const TABLE: &[(&str, Signal)] = &[
    ("accessdeniedexception", S::Named(E::AccessDeniedException)),
    ("internalserverexception", S::Named(E::InternalServerException)),
    ("modelerrorexception", S::Named(E::ModelErrorException)),
    ("modelnotreadyexception", S::Named(E::ModelNotReadyException)),
    ("modelstreamerrorexception", S::Named(E::ModelStreamErrorException)),
    ("modeltimeoutexception", S::Named(E::ModelTimeoutException)),
    ("resourcenotfoundexception", S::Named(E::ResourceNotFoundException)),
    ("servicequotaexceededexception", S::Named(E::ServiceQuotaExceededException)),
    ("serviceunavailableexception", S::Named(E::ServiceUnavailableException)),
    ("throttlingexception", S::Named(E::ThrottlingException)),
    ("validationexception", S::Named(E::ValidationException)),
    ("too many connections, please wait", S::Said(E::ServiceUnavailableException)),
    ("unable to process your request", S::Said(E::ServiceUnavailableException)),
    ("model is getting throttled", S::Said(E::ThrottlingException)),
    ("too many requests, please wait", S::Said(E::ThrottlingException)),
    ("too many tokens, please wait", S::Said(E::ThrottlingException)),
    ("too many tokens per day, please wait", S::Said(E::ThrottlingException)),
    ("model is not ready for inference", S::Said(E::ModelNotReadyException)),
    ("model has timed out in processing", S::Said(E::ModelTimeoutException)),
    ("an error while processing the model", S::Said(E::ModelErrorException)),
    ("an error occurred while streaming the response", S::Said(E::ModelStreamErrorException)),
    ("the system encountered an unexpected error during processing", S::Said(E::InternalServerException)),
    ("access to the model with the specified model id", S::Said(E::AccessDeniedException)),
    ("malformed input request", S::Said(E::ValidationException)),
    ("input is too long for requested model", S::Said(E::ValidationException)),
    ("the provided model identifier is invalid", S::Said(E::ValidationException)),
    ("an error occurred (", S::BotoError),
    ("eventstreamerror", S::StreamFrame),
    ("eventstreamserde", S::StreamFrame),
    ("eventstreammarshaller", S::StreamFrame),
    ("smithymessagedecoderstream", S::StreamFrame),
    ("getmessageunmarshaller", S::StreamFrame),
    (":exception-type", S::StreamFrame),
    ("raw: decoded(message", S::StreamFrame),
    ("protocol.handleerror", S::HttpAnswer),
    ("https response error", S::HttpAnswer),
    ("statuscode", S::Status),
    ("status code", S::Status),
    ("status_code", S::Status),
    ("error code", S::Status),
    ("client error '", S::Status),
    ("server error '", S::Status),
    (" client error: ", S::Status),
    (" server error: ", S::Status),
    ("resulted in a `", S::Status),
    ("status: ", S::Status),
    ("error: ", S::Status),
    ("typeerror: terminated", S::Truncated),
    ("incompleteread", S::Truncated),
    ("checksum mismatch", S::Truncated),
    ("message checksum", S::Truncated),
    ("prelude checksum", S::Truncated),
    ("checksum of the message", S::Truncated),
    ("transferencodingerror", S::Truncated),
    ("payload is not completed", S::Truncated),
    ("without sending complete message body", S::Truncated),
    ("truncated event message", S::Truncated),
    ("unexpectedendofstream", S::Truncated),
    ("unexpected end of stream", S::Truncated),
    ("unexpected end of json input", S::Truncated),
    ("ended prematurely", S::Truncated),
    ("premature end of", S::Truncated),
    ("premature close", S::Truncated),
    ("undecoded bytes", S::Truncated),
    ("incomplete bedrock response stream", S::Truncated),
    ("missing messagestop", S::Truncated),
    ("incompletebody", S::Truncated),
    ("before message length reached", S::Truncated),
    ("reading a body from connection: unexpected eof", S::Truncated),
    ("unexpected eof", S::Truncated),
    ("invalidheaderslength", S::Truncated),
    ("invalidpayloadlength", S::Truncated),
    ("connection reset", S::Reset),
    ("connectionreset", S::Reset),
    ("econnreset", S::Reset),
    ("econnaborted", S::Reset),
    ("socket hang up", S::Reset),
    ("other side closed", S::Reset),
    ("und_err_socket", S::Reset),
    ("headers timeout error", S::Timeout),
    ("body timeout error", S::Timeout),
    ("fetch failed", S::Network),
    ("error: aborted", S::Reset),
    ("message: aborted", S::Reset),
    (": aborted", S::Aborted),
    ("connection aborted", S::Reset),
    ("connection was aborted", S::Reset),
    ("remote end closed connection", S::Reset),
    ("connection was closed", S::Reset),
    ("channel was closed", S::Reset),
    ("connectionclosederror", S::Reset),
    ("server disconnected", S::Reset),
    ("closed before message completed", S::Reset),
    ("incompletemessage", S::Reset),
    ("broken pipe", S::Reset),
    ("write epipe", S::Reset),
    ("nghttp2_", S::Reset),
    ("err_http2_", S::Reset),
    ("closed with error code", S::Reset),
    ("http2 request did not get a response", S::Reset),
    ("eof occurred in violation of protocol", S::Reset),
    ("without sending tls close_notify", S::Reset),
    ("forcibly closed by the remote host", S::Reset),
    ("failed to respond", S::Reset),
    ("server closed idle connection", S::Reset),
    ("server sent goaway", S::Reset),
    ("unexpected end of file from server", S::Reset),
    ("end of file reached", S::Reset),
    (": eof", S::Reset),
    ("empty reply from server", S::Reset),
    ("curl error 52", S::Reset),
    ("curl error 56", S::Reset),
    ("curl error 18", S::Truncated),
    ("read timeout", S::Timeout),
    ("read timed out", S::Timeout),
    ("readtimeout", S::Timeout),
    ("sockettimeout", S::Timeout),
    ("timed out", S::Timeout),
    ("timeouterror", S::Timeout),
    ("etimedout", S::Timeout),
    ("timeout on reading data", S::Timeout),
    ("timeout awaiting", S::Timeout),
    ("client.timeout", S::Timeout),
    ("deadline exceeded", S::Timeout),
    ("requesttimeout", S::Timeout),
    ("because of no activity", S::Timeout),
    ("of inactivity", S::Timeout),
    ("apicalltimeout", S::Timeout),
    ("apicallattempttimeout", S::Timeout),
    ("before the specified timeout", S::Timeout),
    ("minimum throughput was specified", S::Timeout),
    ("due to timeout", S::Timeout),
    ("httpclient.timeout", S::Timeout),
    ("curl error 28", S::Timeout),
    ("connection refused", S::Refused),
    ("connectionrefused", S::Refused),
    ("econnrefused", S::Refused),
    ("getaddrinfo", S::Refused),
    ("enotfound", S::Refused),
    ("eai_again", S::Refused),
    ("name or service not known", S::Refused),
    ("temporary failure in name resolution", S::Refused),
    ("no such host", S::Refused),
    ("unknownhostexception", S::Refused),
    ("connecttimeout", S::Refused),
    ("connect timeout", S::Refused),
    ("connect timed out", S::Refused),
    ("connect etimedout", S::Refused),
    ("i/o timeout", S::Refused),
    ("ehostunreach", S::Refused),
    ("enetunreach", S::Refused),
    ("no route to host", S::Refused),
    ("network is unreachable", S::Refused),
    ("certificate verify failed", S::Refused),
    ("all connection attempts failed", S::Refused),
    ("failed to open tcp connection", S::Refused),
    ("curl error 6:", S::Refused),
    ("curl error 7:", S::Refused),
    ("could not connect to the endpoint", S::Network),
    ("cannot connect to host", S::Network),
    ("connect call failed", S::Network),
    ("failed to establish a new connection", S::Network),
    ("connection error", S::Network),
    ("connectionerror", S::Network),
    ("connection broken", S::Network),
    ("unable to execute http request", S::Network),
    ("networkingerror", S::Network),
    ("connecterror", S::Network),
    ("when calling the ", S::Service),
    ("(service: ", S::Service),
    ("operation error ", S::Service),
    ("@aws-sdk/client-", S::Service),
    ("awssdk.services.", S::Service),
    ("amazonaws.services.", S::Service),
    ("endpoint url: ", S::Callee),
    ("for url '", S::Callee),
    ("host='", S::Callee),
    ("post \"http", S::Callee),
    ("get \"http", S::Callee),
    ("put \"http", S::Callee),
    ("on \"http", S::Callee),
    ("/model/", S::ModelPath),
    ("bedrock-runtime", S::Bedrock),
    ("bedrockruntime", S::Bedrock),
    ("bedrock runtime: ", S::Bedrock),
    ("bedrockexception", S::Bedrock),
    ("bedrockerror", S::Bedrock),
    ("langchain_aws", S::Bedrock),
    ("llms/bedrock", S::Bedrock),
    ("lib/bedrock", S::Bedrock),
    ("botocore/eventstream", S::Bedrock),
    ("com.amazon.bedrock", S::Bedrock),
    ("bedrock", S::Mention),
    ("/botocore/", S::Library),
    ("/aiobotocore/", S::Library),
    ("/anthropic/", S::Library),
    ("/litellm/", S::Library),
    ("node_modules/pg/", S::Elsewhere),
    ("node_modules/ioredis/", S::Elsewhere),
    ("node_modules/redis/", S::Elsewhere),
    ("node_modules/@redis/", S::Elsewhere),
    ("node_modules/mysql2/", S::Elsewhere),
    ("node_modules/mysql/", S::Elsewhere),
    ("node_modules/kafkajs/", S::Elsewhere),
    ("node_modules/mongodb/", S::Elsewhere),
    ("node_modules/mongoose/", S::Elsewhere),
    ("node_modules/axios/", S::Elsewhere),
    ("node_modules/node-fetch/", S::Elsewhere),
    ("node_modules/got/", S::Elsewhere),
    ("node_modules/amqplib/", S::Elsewhere),
    ("node_modules/openai/", S::Elsewhere),
    ("node_modules/nodemailer/", S::Elsewhere),
    ("org.apache.kafka.", S::Elsewhere),
    ("com.zaxxer.hikari", S::Elsewhere),
    ("redis.clients.", S::Elsewhere),
    ("io.lettuce.", S::Elsewhere),
    ("org.postgresql.", S::Elsewhere),
    ("com.mysql.", S::Elsewhere),
    ("com.mongodb.", S::Elsewhere),
    ("org.elasticsearch.", S::Elsewhere),
    ("org.springframework.web.client.", S::Elsewhere),
    ("feign.", S::Elsewhere),
    ("stackexchange.redis", S::Elsewhere),
    ("npgsql.", S::Elsewhere),
    ("confluent.kafka", S::Elsewhere),
    ("mysqlconnector.", S::Elsewhere),
    ("awsjson1_0protocol", S::Elsewhere),
    ("awsjson1_1protocol", S::Elsewhere),
    ("awsrestxmlprotocol", S::Elsewhere),
    ("awsqueryprotocol", S::Elsewhere),
    ("requestid", S::RequestId),
    ("request id", S::RequestId),
    ("request_id", S::RequestId),
    ("x-amzn-requestid", S::RequestId),
    ("modelid", S::ModelField),
    ("model_id", S::ModelField),
    ("model", S::ModelField),
    ("arn:aws", S::ModelArn),
    ("operation", S::OperationField),
    ("op: ", S::OperationField),
    ("attempts", S::Attempts),
    ("sdk attempt count: ", S::Attempts),
    ("maximum number of attempts, ", S::Attempts),
    ("failed after ", S::Attempts),
    ("reached max retries: ", S::Retries),
    ("retryattempts", S::Retries),
    ("retried: ", S::Retries),
    ("inputtokens", S::InputTokens),
    ("input_tokens", S::InputTokens),
    ("prompt_tokens", S::InputTokens),
    ("inputtokencount", S::InputTokens),
    ("requestmetadata", S::OwnId),
    ("request_metadata", S::OwnId),
    ("call_id", S::OwnId),
    ("callid", S::OwnId),
    ("correlation_id", S::OwnId),
    ("correlationid", S::OwnId),
    ("after ", S::Elapsed),
    ("elapsed", S::Elapsed),
    ("duration", S::Elapsed),
    ("latency", S::Elapsed),
    ("took", S::Elapsed),
    ("retrying", S::Again),
    ("will retry", S::Again),
    ("will be retried", S::Again),
    ("backing off", S::Again),
    ("trying again in", S::Again),
    ("retry attempt", S::Again),
    ("retry in ", S::Again),
    ("retry error", S::Again),
    ("retry count", S::Again),
    ("giving up", S::Over),
    ("gave up", S::Over),
    ("exhausted", S::Over),
    ("no more", S::Over),
    ("max retries", S::Over),
    ("not retrying", S::Over),
    ("failed after", S::Over),
    ("last attempt", S::Over),
    ("without retrying", S::Over),
];

/// A phrase and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) signal: Signal,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Finds phrases by their first four letters. A frame holds dozens of phrases, so that an automaton would spend its time
/// on matches, and one state after the other; here every place is looked at by itself.
#[derive(Debug)]
struct Search {
    /// For each hash of four letters the bucket, from 1; 0 for none.
    slots: Box<[u8; SLOTS]>,
    buckets: Vec<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// The first eight letters, folded, and which of them there are.
    letters: u64,
    mask: u64,
    phrase: &'static [u8],
    signal: Signal,
}

const SLOT_BITS: u32 = 13;
const SLOTS: usize = 1 << SLOT_BITS;
const FOLD: u64 = 0x2020_2020_2020_2020;

/// The slot of four letters. Folding puts letters into lower case, and makes of other characters what they are not:
/// matches are compared again.
fn slot(letters: u32) -> usize {
    let folded = letters | 0x2020_2020;
    (folded.wrapping_mul(0x9e37_79b1) >> (32 - SLOT_BITS)) as usize
}

/// The first eight bytes, or all there are.
fn first_letters(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<8>() {
        Some(letters) => u64::from_le_bytes(*letters),
        None => bytes.iter().rev().fold(0, |letters, byte| letters << 8 | u64::from(*byte)),
    }
}

static SEARCH: LazyLock<Search> = LazyLock::new(|| {
    let mut search = Search { slots: Box::new([0; SLOTS]), buckets: vec![Vec::new()] };
    for (phrase, signal) in TABLE {
        let phrase = phrase.as_bytes();
        let Some(first) = phrase.first_chunk::<4>() else { continue };
        let at = slot(u32::from_le_bytes(*first));
        if search.slots[at] == 0 {
            search.slots[at] = u8::try_from(search.buckets.len()).unwrap_or_default();
            search.buckets.push(Vec::new());
        }
        let mask = if phrase.len() < 8 { (1 << (phrase.len() * 8)) - 1 } else { u64::MAX };
        let letters = (first_letters(phrase) | FOLD) & mask;
        search.buckets[usize::from(search.slots[at])].push(Entry { letters, mask, phrase, signal: *signal });
    }
    search
});

/// Enough for any traceback; a frame with more repeats itself.
const MOST: usize = 8192;

/// Every phrase in `text`, in the order of their ends.
pub(super) fn find(text: &str) -> Vec<Found> {
    let search = &*SEARCH;
    let bytes = text.as_bytes();
    let mut found: Vec<Found> = Vec::with_capacity(48);
    for (start, first) in bytes.windows(4).enumerate() {
        let bucket = search.slots[slot(u32::from_le_bytes([first[0], first[1], first[2], first[3]]))];
        if bucket == 0 {
            continue;
        }
        let letters = first_letters(&bytes[start..]) | FOLD;
        for entry in search.buckets.get(usize::from(bucket)).into_iter().flatten() {
            let end = start + entry.phrase.len();
            if letters & entry.mask != entry.letters
                || !bytes.get(start..end).is_some_and(|here| here.eq_ignore_ascii_case(entry.phrase))
            {
                continue;
            }
            // Only what overlaps is out of order.
            let after = found.iter().rev().take_while(|before| (before.end, before.start) > (end, start)).count();
            found.insert(found.len() - after, Found { signal: entry.signal, start, end });
            if found.len() >= MOST {
                return found;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_of_the_table_is_found_in_any_case() {
        for (phrase, signal) in TABLE {
            for text in [phrase.to_string(), format!("x{}y", phrase.to_ascii_uppercase())] {
                let start = text.len().min(phrase.len() + 1) - phrase.len();
                let here = |found: &Found| found.signal == *signal && found.end - found.start == phrase.len();
                assert!(find(&text).iter().any(|found| here(found) && found.start == start), "{phrase}");
            }
        }
    }
}
