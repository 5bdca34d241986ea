//! The database.

use std::env;

use anyhow::{Context, Result};
use tokio_postgres::{Client, NoTls};

use crate::{Good, Order, State};

const SCHEMA: &str = include_str!("schema.sql");

/// Whoever makes the tables, the others wait for it: any number that nobody else locks.
const SCHEMA_LOCK: i64 = 7_105_112;

/// The database, with the tables that the shop needs.
pub struct Store {
    client: Client,
}

impl Store {
    /// Connects to `DATABASE_URL`, and makes what is missing there.
    pub async fn open() -> Result<Self> {
        let url = env::var("DATABASE_URL").context("DATABASE_URL is not set")?;
        let (mut client, connection) = tokio_postgres::connect(&url, NoTls)
            .await
            .context("the database does not answer")?;
        tokio::spawn(async move {
            // Whoever asks next gets this error, too.
            if let Err(error) = connection.await {
                eprintln!("the connection to the database broke: {error}");
            }
        });
        let transaction = client.transaction().await?;
        transaction
            .execute("select pg_advisory_xact_lock($1)", &[&SCHEMA_LOCK])
            .await?;
        transaction.batch_execute(SCHEMA).await?;
        transaction.commit().await?;
        Ok(Self { client })
    }

    /// Fails where the database does not answer any more.
    pub async fn check(&self) -> Result<()> {
        self.client.simple_query("select 1").await?;
        Ok(())
    }

    /// Everything that can be ordered.
    pub async fn goods(&self) -> Result<Vec<Good>> {
        let rows = self
            .client
            .query(
                "select id, name, note, price, hue from goods order by id",
                &[],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| Good {
                id: row.get(0),
                name: row.get(1),
                note: row.get(2),
                price: row.get(3),
                hue: row.get(4),
            })
            .collect())
    }

    /// The latest orders, newest first.
    pub async fn orders(&self) -> Result<Vec<Order>> {
        let rows = self
            .client
            .query(
                "select orders.id, goods.name, orders.state from orders join goods on goods.id = orders.good
                 order by orders.id desc limit 20",
                &[],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| Order {
                id: row.get(0),
                good: row.get(1),
                state: State::of(row.get(2)),
            })
            .collect())
    }

    /// Notes an order; its number, or nothing where there is no such good.
    pub async fn order(&self, good: i32) -> Result<Option<i32>> {
        let row = self
            .client
            .query_opt(
                "insert into orders (good) select id from goods where id = $1 returning id",
                &[&good],
            )
            .await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Takes the oldest order that nobody has. One whose worker was killed is free again after a while.
    pub async fn take(&self) -> Result<Option<i32>> {
        let row = self
            .client
            .query_opt(
                "update orders set state = $1, taken = now() where id = (
                     select id from orders
                     where state = $2 or (state = $1 and taken < now() - interval '30 seconds')
                     order by id limit 1 for update skip locked
                 ) returning id",
                &[&State::Taken.word(), &State::Open.word()],
            )
            .await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// An order is on its way.
    pub async fn done(&self, order: i32) -> Result<()> {
        self.client
            .execute(
                "update orders set state = $1 where id = $2",
                &[&State::Done.word(), &order],
            )
            .await?;
        Ok(())
    }
}
