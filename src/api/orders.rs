//! The store of orders. Its pages are rendered on the server only, so these are plain functions without an address.

use super::ApiError;
use crate::domain::view::orders::{OrderList, OrderPage, OrderQuery, RefundOrders, RefundSelection};

/// A page of the list.
pub async fn load_orders(query: OrderQuery) -> Result<OrderList, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::orders::list(&state, &caller, query).await.map_err(super::caller::refused)
}

/// An order's page.
pub async fn load_order(order_id: String) -> Result<OrderPage, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::orders::page(&state, &caller, &order_id).await.map_err(super::caller::refused)
}

/// The page that refunds orders.
pub async fn load_refund(chosen: RefundSelection) -> Result<RefundOrders, ApiError> {
    let (state, caller) = super::caller::current()?;
    crate::server::ops::orders::refund::page(&state, &caller, chosen).await.map_err(super::caller::refused)
}
