//! Packs what was ordered.

use std::time::Duration;

use anyhow::Result;
use shop_core::{terminated, Store};
use tokio::time::sleep;

/// How long it takes to pack one order, and how often to look for the next.
const PACKING: Duration = Duration::from_millis(800);
const LOOK: Duration = Duration::from_millis(250);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let stop = terminated()?;
    let store = Store::open().await?;
    println!("waiting for orders");
    tokio::select! {
        ended = work(&store) => ended,
        () = stop => Ok(()),
    }
}

async fn work(store: &Store) -> Result<()> {
    loop {
        match store.take().await? {
            Some(order) => {
                sleep(PACKING).await;
                store.done(order).await?;
                println!("order {order} is packed");
            }
            None => sleep(LOOK).await,
        }
    }
}
