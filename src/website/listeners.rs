//! Answers that never end by themselves, server-sent events: how many one address may have, and
//! that they end with the site.

use super::accept::{Counted, Counts};
use super::guard::network;
use super::reply::error_json;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use hyper::body::Frame;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::watch;

/// Listeners of one network: a farm's dashboards, or an office behind one address.
pub(super) const MOST_OF_ONE: usize = 32;

/// A body that ends when the site does.
struct Held {
    body: Body,
    ending: Pin<Box<dyn Future<Output = ()> + Send>>,
    _counted: Counted,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.ending.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => Pin::new(&mut self.body).poll_frame(context),
        }
    }
}

/// Counts an answer that never ends; any other one passes as it is.
pub(super) fn held(
    response: Response,
    (address, most): (IpAddr, usize),
    counts: &Counts,
    mut ending: watch::Receiver<bool>,
) -> Response {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
        return response;
    }
    let Some(counted) = Counted::new(counts, network(address), most) else {
        return error_json(StatusCode::TOO_MANY_REQUESTS, "too many listeners of one address");
    };
    let ending = Box::pin(async move {
        let _ = ending.wait_for(|ending| *ending).await;
    });
    response.map(|body| Body::new(Held { body, ending, _counted: counted }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn stream() -> Response {
        let mut response = Response::new(Body::from("data: 1\n\n"));
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    #[test]
    fn one_address_has_some_and_others_have_theirs() {
        let (counts, ending) = (Counts::default(), watch::Sender::new(false));
        let hold = |response: Response, address: &str| {
            held(response, (address.parse().unwrap(), 2), &counts, ending.subscribe())
        };
        let held = [hold(stream(), "192.0.2.1"), hold(stream(), "192.0.2.1")];
        assert_eq!(hold(stream(), "192.0.2.1").status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(hold(stream(), "192.0.2.2").status(), StatusCode::OK);
        let page = Response::new(Body::from("a page"));
        assert_eq!(hold(page, "192.0.2.1").status(), StatusCode::OK, "pages are not counted");
        drop(held);
        assert_eq!(hold(stream(), "192.0.2.1").status(), StatusCode::OK);
    }

    #[test]
    fn they_end_with_the_site() {
        let (counts, ending) = (Counts::default(), watch::Sender::new(false));
        let address = "192.0.2.1".parse().unwrap();
        let mut body = held(stream(), (address, 2), &counts, ending.subscribe()).into_body();
        let mut context = Context::from_waker(std::task::Waker::noop());
        let first = Pin::new(&mut body).poll_frame(&mut context);
        assert!(matches!(first, Poll::Ready(Some(Ok(_)))));
        ending.send_replace(true);
        assert!(matches!(Pin::new(&mut body).poll_frame(&mut context), Poll::Ready(None)));
    }
}
