//! Whose failure it is: Bedrock's, another client's, or nobody's by name.

use std::sync::LazyLock;

use super::{
    line::words,
    signals::{Found, Signal},
};

/// Whom the text of a frame names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// It can only be a call of a model on Bedrock.
    Bedrock,
    /// It speaks of Bedrock.
    Mention,
    /// Another client, or another service of AWS.
    Other,
    /// Nobody.
    Nobody,
}

const OPERATIONS: &[&str] = &[
    "Converse",
    "ConverseStream",
    "InvokeModel",
    "InvokeModelWithResponseStream",
    "InvokeModelWithBidirectionalStream",
];

/// Clients and services that are not Bedrock, as words of class names, loggers and stack lines.
const OTHERS: &[&str] = &[
    "psycopg",
    "psycopg2",
    "psycopg2cffi",
    "asyncpg",
    "pg8000",
    "postgres",
    "postgresql",
    "pgbouncer",
    "pymysql",
    "mysql",
    "mysql2",
    "aiomysql",
    "mariadb",
    "sqlalchemy",
    "sqlite3",
    "jdbc",
    "hikari",
    "hikaricp",
    "hibernate",
    "jpa",
    "sequelize",
    "prisma",
    "knex",
    "typeorm",
    "pymssql",
    "pyodbc",
    "oracledb",
    "redis",
    "aioredis",
    "ioredis",
    "jedis",
    "lettuce",
    "redisson",
    "valkey",
    "memcache",
    "memcached",
    "pymemcache",
    "kafka",
    "aiokafka",
    "kafkajs",
    "confluent_kafka",
    "pymongo",
    "mongodb",
    "mongoose",
    "mongo",
    "cassandra",
    "elasticsearch",
    "elastic_transport",
    "opensearch",
    "opensearchpy",
    "rabbitmq",
    "pika",
    "aio_pika",
    "amqp",
    "amqplib",
    "nats",
    "zookeeper",
    "etcd",
    "ldap",
    "smtplib",
    "smtp",
    "paramiko",
    "ftplib",
    "stripe",
    "twilio",
    "slack_sdk",
    "openai",
    "openaiexception",
    "azureexception",
    "vertexaiexception",
    "anthropicexception",
    "geminiexception",
    "vertexai",
    "googleapis",
    "grpc",
    "azure",
    "pinecone",
    "weaviate",
    "qdrant",
    "qdrant_client",
    "chromadb",
    "snowflake",
    "axioserror",
    "axios",
    "dynamodb",
    "s3",
    "s3transfer",
    "sqs",
    "sns",
    "kinesis",
    "firehose",
    "secretsmanager",
    "ssm",
    "kms",
    "sts",
    "rds",
    "elasticache",
    "sagemaker",
    "cognito",
    "eventbridge",
    "textract",
    "comprehend",
    "polly",
    "rekognition",
    "stepfunctions",
];

/// Ports that speak no HTTP.
const PORTS: &[u32] = &[
    25, 389, 465, 587, 636, 1433, 1521, 2181, 3306, 4222, 5432, 5671, 5672, 6379, 6380, 9092, 9093, 9094, 9200, 9300,
    11211, 26379, 27017,
];

/// How names of sources end.
const SOURCES: &[&str] =
    &[".js", ".mjs", ".cjs", ".ts", ".py", ".java", ".kt", ".scala", ".go", ".rs", ".rb", ".php", ".cs"];

/// Whom `text` names. `spoken` are the ranges that speak for the failure itself: its header, the lines that name an
/// outcome, the loggers' names.
pub(super) fn named(text: &str, found: &[Found], spoken: &[&str]) -> Named {
    let mut mention = false;
    let mut other = false;
    for phrase in found {
        let rest = &text[phrase.end..];
        match phrase.signal {
            Signal::Bedrock => return Named::Bedrock,
            Signal::Named(exception) if text[phrase.end..].starts_with([':', '"', '\'', ')', '(', '\n', '\\', ' ']) => {
                use crate::model::BedrockException as E;
                mention |= matches!(
                    exception,
                    E::ModelErrorException
                        | E::ModelNotReadyException
                        | E::ModelStreamErrorException
                        | E::ModelTimeoutException
                );
            }
            Signal::Said(_) => mention = true,
            Signal::Mention => mention |= speaks(text, phrase.start),
            Signal::Service => {
                let name = rest.split([' ', ',', ';', ')', '/', '.', '\'', '"', '\n']).next().unwrap_or_default();
                let announced = &text[phrase.start..phrase.end];
                if announced.eq_ignore_ascii_case("when calling the ") {
                    if OPERATIONS.contains(&name) {
                        return Named::Bedrock;
                    }
                    other |= rest[name.len()..].starts_with(" operation");
                } else {
                    let lower = rest[..rest.len().min(64).min(floor(rest, 64))].to_ascii_lowercase();
                    let lower = lower.trim_start_matches("amazon");
                    if lower.starts_with("bedrockruntime")
                        || lower.starts_with("bedrock runtime")
                        || lower.starts_with("bedrock-runtime")
                    {
                        return Named::Bedrock;
                    }
                    // The service's name may be missing (`Service: null`); another one is another service.
                    other |= !lower.starts_with("null") && !name.is_empty();
                }
            }
            Signal::ModelPath if super::extract::model_path(rest).is_some() => return Named::Bedrock,
            Signal::Callee => match callee(text, phrase) {
                Named::Bedrock => return Named::Bedrock,
                Named::Other => other = true,
                _ => {}
            },
            Signal::ModelField => {
                mention |= super::extract::value(text, phrase.end).is_some_and(|id| {
                    ["anthropic.", "amazon.", "meta.", "mistral."].iter().any(|vendor| id.contains(vendor))
                });
            }
            Signal::Elsewhere => other = true,
            Signal::ModelArn => {
                mention |= rest.split(['"', '\'', ' ', ',']).next().is_some_and(|arn| arn.contains(":bedrock:"))
            }
            _ => {}
        }
    }
    other |= spoken.iter().any(|part| {
        words(part).any(|(_, word)| is_other(word))
            || names_port(part)
            || part.contains("requests.exceptions")
            || part.contains("google.api_core")
    });
    match (other, mention) {
        (true, _) => Named::Other,
        (false, true) => Named::Mention,
        (false, false) => Named::Nobody,
    }
}

/// Whether the mention at `start` is in words or in a library's path; a path of the application's own names itself.
fn speaks(text: &str, start: usize) -> bool {
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let before = text[line..start].trim_start_matches([' ', '>', '│', '|']);
    !before.starts_with("File \"") || before.contains("-packages/")
}

fn callee(text: &str, phrase: &Found) -> Named {
    // The pattern of a Go or PHP request ends inside the URL.
    let quoted = text[phrase.start..].split_once(['"', '\'']).map_or("", |(_, rest)| rest);
    let url = quoted.split(['"', '\'']).next().unwrap_or_default();
    let host = url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or_default();
    if host.contains("bedrock") || url.contains("/model/") {
        return Named::Bedrock;
    }
    let announced = &text[phrase.start..phrase.end];
    if announced.eq_ignore_ascii_case("host='") {
        // urllib3 names only the host; botocore's own pool is a hint that an SDK of AWS is calling.
        let aws = text[..phrase.start].ends_with("AWSHTTPSConnectionPool(")
            || text[..phrase.start].ends_with("AWSHTTPConnectionPool(");
        let aws = aws
            || text[..phrase.start].ends_with("AWSHTTPConnection(")
            || text[..phrase.start].ends_with("AWSHTTPSConnection(");
        return if aws && !host.contains("amazonaws.com") { Named::Nobody } else { Named::Other };
    }
    if host.is_empty() { Named::Nobody } else { Named::Other }
}

/// `host:port`, with a port that speaks no HTTP.
fn names_port(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b':', bytes).any(|at| {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let host = at > 0 && bytes[at - 1].is_ascii_alphanumeric();
        // `index.js:389:34`, `ChatService.java:389`: a place in a source.
        let name = text[..at].trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(':');
        let source = SOURCES.iter().any(|end| name.ends_with(end));
        // A clock has colons too, with two digits behind them and before.
        host && !source
            && (2..=5).contains(&digits)
            && !(digits == 2 && bytes[at - 1].is_ascii_digit())
            && !bytes.get(at + 1 + digits).is_some_and(u8::is_ascii_alphanumeric)
            && text[at + 1..at + 1 + digits].parse().is_ok_and(|port: u32| PORTS.contains(&port))
    })
}

/// Whether a word is the name of another client or service.
fn is_other(word: &str) -> bool {
    /// Their names by first letter, and a bit for every length there is.
    static NAMES: LazyLock<[(u32, Vec<&'static str>); 26]> = LazyLock::new(|| {
        std::array::from_fn(|letter| {
            let starts = |name: &&&str| name.bytes().next().is_some_and(|first| usize::from(first - b'a') == letter);
            let names: Vec<&str> = OTHERS.iter().filter(starts).copied().collect();
            (names.iter().fold(0, |lengths, name| lengths | 1 << name.len()), names)
        })
    });
    let first = word.bytes().next().map(|first| first.to_ascii_lowercase()).filter(u8::is_ascii_lowercase);
    first.is_some_and(|first| {
        let (lengths, names) = &NAMES[usize::from(first - b'a')];
        word.len() < 32 && lengths & 1 << word.len() != 0 && names.iter().any(|name| name.eq_ignore_ascii_case(word))
    })
}

fn floor(text: &str, most: usize) -> usize {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}
