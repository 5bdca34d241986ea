//! Goods and orders over HTTP.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Error, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use shop_core::{terminated, Good, Order, Store};
use tokio::net::TcpListener;

const PORT: u16 = 8080;

/// Edit this line, build again and look at the end of the page.
const GREETING: &str = "Freshly packed, every day but Sunday";

#[derive(Serialize)]
struct Shelf {
    greeting: &'static str,
    goods: Vec<Good>,
}

#[derive(Deserialize)]
struct Wanted {
    good: i32,
}

#[derive(Serialize)]
struct Ordered {
    id: i32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let stop = terminated()?;
    let store = Arc::new(Store::open().await?);
    let routes = Router::new()
        .route("/health", get(health))
        .route("/api/goods", get(goods))
        .route("/api/orders", get(orders).post(order))
        .with_state(store);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

async fn health(State(store): State<Arc<Store>>) -> Result<&'static str, Failed> {
    store.check().await?;
    Ok("fine\n")
}

async fn goods(State(store): State<Arc<Store>>) -> Result<Json<Shelf>, Failed> {
    Ok(Json(Shelf {
        greeting: GREETING,
        goods: store.goods().await?,
    }))
}

async fn orders(State(store): State<Arc<Store>>) -> Result<Json<Vec<Order>>, Failed> {
    Ok(Json(store.orders().await?))
}

async fn order(
    State(store): State<Arc<Store>>,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Failed> {
    Ok(match store.order(wanted.good).await? {
        Some(id) => (StatusCode::CREATED, Json(Ordered { id })).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such good\n").into_response(),
    })
}

/// What went wrong is for the log, not for the customer.
struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        eprintln!("{:#}", self.0);
        (StatusCode::SERVICE_UNAVAILABLE, "try again in a moment\n").into_response()
    }
}
