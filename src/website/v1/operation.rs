//! A path of the API: where it is, what it is asked, who answers. The document is made of the same
//! table that the server is, so a path that is in one is in the other, and the types of a handler
//! are what is documented.

use super::super::forwarded::Asker;
use super::super::reply::{Kind, error_json, send};
use super::super::routes::Site;
use super::super::text::tame;
use crate::config::Pool;
use crate::history::HistoryError;
use crate::ledger::book::BookError;
use axum::extract::{Extension, FromRequestParts, Query, RawPathParams, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The question makes no sense: 400.
    Bad(String),
    /// There is no such thing: 404.
    Unknown(&'static str),
    /// What would have to be read cannot be read now: 503. The words are for the operator.
    Away(String),
    /// The answer cannot be written: 500.
    Broken(String),
}

impl From<BookError> for Failure {
    fn from(error: BookError) -> Self {
        Self::Away(error.to_string())
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        Self::Away(error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Bad(words) => error_json(StatusCode::BAD_REQUEST, &words),
            Self::Unknown(words) => error_json(StatusCode::NOT_FOUND, words),
            // The gatherer meets the same trouble, and logs it once.
            Self::Away(_) => error_json(
                StatusCode::SERVICE_UNAVAILABLE,
                "the pool's books cannot be read now; try again later",
            ),
            Self::Broken(words) => {
                log::error!("the web site cannot write an answer: {words}");
                error_json(StatusCode::INTERNAL_SERVER_ERROR, "it cannot be written")
            }
        }
    }
}

/// A parameter of a path.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) words: &'static str,
    pub(super) example: &'static str,
}

/// What a path is about, by its variable parts.
pub(super) trait Scope: Sized + Send + 'static {
    /// Its variable parts.
    const PARTS: &'static [Part];

    /// Finds it. `part`: the value of a part, decoded.
    fn find<'p>(site: &Site, part: impl Fn(&str) -> &'p str) -> Result<Self, Failure>;
}

/// The whole site.
pub(super) struct Whole;

impl Scope for Whole {
    const PARTS: &'static [Part] = &[];

    fn find<'p>(_: &Site, _: impl Fn(&str) -> &'p str) -> Result<Self, Failure> {
        Ok(Self)
    }
}

/// One pool.
pub(super) struct OfCoin(pub(super) Pool);

const COIN: Part = Part {
    name: "coin",
    words: "The `id` of a pool, as `/api/v1/pools` lists it.",
    example: "litecoin",
};

impl Scope for OfCoin {
    const PARTS: &'static [Part] = &[COIN];

    fn find<'p>(site: &Site, part: impl Fn(&str) -> &'p str) -> Result<Self, Failure> {
        let pool = site.config.pools.get(part(COIN.name)).cloned();
        pool.map(Self).ok_or(Failure::Unknown("no pool of that name; /api/v1/pools lists them"))
    }
}

/// One address in one pool.
pub(super) struct OfMiner {
    pub(super) pool: Pool,
    pub(super) address: String,
}

const ADDRESS: Part = Part {
    name: "address",
    words: "An address, without a rig's name behind it.",
    example: "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9",
};

impl Scope for OfMiner {
    const PARTS: &'static [Part] = &[COIN, ADDRESS];

    fn find<'p>(site: &Site, part: impl Fn(&str) -> &'p str) -> Result<Self, Failure> {
        let address = part(ADDRESS.name).to_owned();
        OfCoin::find(site, part).map(|coin| Self { pool: coin.0, address })
    }
}

/// What a handler answers.
pub(super) trait Answer: Send + 'static {
    /// How it is sent.
    const KIND: Kind;

    /// What it looks like.
    fn schema(generator: &mut SchemaGenerator) -> Schema;

    /// The answer to a request with these headers.
    fn send(&self, asked: &HeaderMap) -> Result<Response, Failure>;
}

impl<T: serde::Serialize + JsonSchema + Send + 'static> Answer for T {
    const KIND: Kind = Kind::Json;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }

    fn send(&self, asked: &HeaderMap) -> Result<Response, Failure> {
        let text = serde_json::to_string(self).map_err(|it| Failure::Broken(it.to_string()))?;
        Ok(send(asked, Kind::Json, tame(&text)))
    }
}

/// A question without parameters.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// What the site has at hand.
    Snapshot,
    /// The book or the history: it may wait for a disk.
    Disk,
}

/// A path.
pub(super) struct Operation {
    pub(super) path: &'static str,
    /// Its name in the document.
    pub(super) id: &'static str,
    /// What it tells, in one sentence.
    pub(super) words: &'static str,
    pub(super) parts: &'static [Part],
    pub(super) kind: Kind,
    /// Schema of the parameters behind the `?`.
    pub(super) query: fn(&mut SchemaGenerator) -> Schema,
    pub(super) answer: fn(&mut SchemaGenerator) -> Schema,
    pub(super) route: MethodRouter<Arc<Site>>,
}

impl Operation {
    /// A path and who answers it.
    pub(super) fn new<S: Scope, Q: DeserializeOwned + JsonSchema + Send + 'static, A: Answer>(
        path: &'static str,
        id: &'static str,
        source: Source,
        words: &'static str,
        handler: fn(&Site, &S, Q) -> Result<A, Failure>,
    ) -> Self {
        let answer = move |State(site): State<Arc<Site>>,
                           Extension(asker): Extension<Asker>,
                           request: Request| async move {
            match serve(site, asker, source, handler, request).await {
                Ok(response) | Err(response) => response,
            }
        };
        Self {
            path,
            id,
            words,
            parts: S::PARTS,
            kind: A::KIND,
            query: SchemaGenerator::subschema_for::<Q>,
            answer: A::schema,
            route: get(answer),
        }
    }
}

/// What stands behind the `?`.
pub(super) fn query<Q: DeserializeOwned>(uri: &Uri) -> Result<Q, Failure> {
    let Query(query) = Query::<Q>::try_from_uri(uri).map_err(|rejection| {
        let words = rejection.body_text();
        let words = words.strip_prefix("Failed to deserialize query string: ").unwrap_or(&words);
        Failure::Bad(format!("what stands behind the ? is wrong: {words}"))
    })?;
    Ok(query)
}

async fn serve<S: Scope, Q: DeserializeOwned + Send + 'static, A: Answer>(
    site: Arc<Site>,
    asker: Asker,
    source: Source,
    handler: fn(&Site, &S, Q) -> Result<A, Failure>,
    request: Request,
) -> Result<Response, Response> {
    let (mut head, _) = request.into_parts();
    let parts = RawPathParams::from_request_parts(&mut head, &()).await.map_err(|rejection| {
        Failure::Bad(format!("the path is wrong: {}", rejection.body_text())).into_response()
    })?;
    let part = |name: &str| {
        parts.iter().find(|(known, _)| *known == name).map(|(_, value)| value).unwrap_or_default()
    };
    let scope = S::find(&site, part).map_err(Failure::into_response)?;
    let query = query::<Q>(&head.uri).map_err(Failure::into_response)?;
    let answer = move |site: &Site| handler(site, &scope, query)?.send(&head.headers);
    let answered = match source {
        Source::Snapshot => answer(&site),
        Source::Disk => {
            let asked = site.ask(&asker, move |site| match answer(site) {
                Err(Failure::Away(words)) => Err(words),
                other => Ok(other),
            });
            asked.await.map_err(|words| error_json(StatusCode::SERVICE_UNAVAILABLE, words))?
        }
    };
    answered.map_err(Failure::into_response)
}
