use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bookshelf_core::{Book, NewBook, Shelf};
use bookshelf_store::{Store, StoreError};
use serde::Deserialize;
use serde_json::{json, Value};
use tower_http::services::ServeDir;
use tower_http::trace::TraceLayer;
use tracing::error;

use crate::{page, GREETING};

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) assets: PathBuf,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/health", get(|| async { "ok" }))
        .route("/api/version", get(version))
        .route("/api/books", get(books).post(add_book))
        .nest_service("/assets", ServeDir::new(&app.assets))
        .layer(TraceLayer::new_for_http())
        .with_state(app)
}

async fn index(State(app): State<Arc<App>>) -> Result<Html<String>, Failure> {
    let template = tokio::fs::read_to_string(app.assets.join("index.html"))
        .await
        .map_err(Failure::Page)?;
    Ok(Html(page::render(&template, &app.store.list(None))))
}

async fn version() -> Json<Value> {
    Json(json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "greeting": GREETING,
    }))
}

#[derive(Debug, Deserialize)]
struct Filter {
    shelf: Option<Shelf>,
}

async fn books(State(app): State<Arc<App>>, Query(filter): Query<Filter>) -> Json<Vec<Book>> {
    Json(app.store.list(filter.shelf))
}

async fn add_book(
    State(app): State<Arc<App>>,
    Json(about): Json<NewBook>,
) -> Result<(StatusCode, Json<Book>), Failure> {
    let book = app.store.add(about).map_err(Failure::Store)?;
    Ok((StatusCode::CREATED, Json(book)))
}

/// Why a request failed.
#[derive(Debug)]
enum Failure {
    Page(std::io::Error),
    Store(StoreError),
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Store(cause @ StoreError::Duplicate(_)) => {
                (StatusCode::CONFLICT, cause.to_string())
            }
            Self::Store(cause) => (StatusCode::INTERNAL_SERVER_ERROR, cause.to_string()),
            Self::Page(cause) => {
                error!(%cause, "cannot read index.html");
                let message = "the page is missing from the assets".to_owned();
                (StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        };
        (status, Json(json!({ "error": message }))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use clock::SystemClock;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn fetch(path: &str) -> (StatusCode, String) {
        let app = App {
            store: Store::bundled(SystemClock).unwrap(),
            assets: concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets").into(),
        };
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(Arc::new(app)).oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.into()).unwrap())
    }

    #[tokio::test]
    async fn is_healthy() {
        assert_eq!(fetch("/health").await, (StatusCode::OK, "ok".into()));
    }

    #[tokio::test]
    async fn greets() {
        let (status, page) = fetch("/").await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains(GREETING));
        assert!(fetch("/api/version").await.1.contains(GREETING));
    }

    #[tokio::test]
    async fn filters_books() {
        let (status, body) = fetch("/api/books?shelf=reading").await;
        assert_eq!(status, StatusCode::OK);
        let books: Vec<Book> = serde_json::from_str(&body).unwrap();
        assert_eq!(books.len(), 1);
        assert_eq!(
            fetch("/api/books?shelf=lent").await.0,
            StatusCode::BAD_REQUEST
        );
    }

    #[tokio::test]
    async fn serves_assets() {
        assert_eq!(fetch("/assets/style.css").await.0, StatusCode::OK);
        assert_eq!(fetch("/assets/none.css").await.0, StatusCode::NOT_FOUND);
    }
}
