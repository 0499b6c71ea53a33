//! What the gateway says of an order, as a badge.

use crate::{
    domain::view::orders::StoredOrder,
    ui::components::{Glyph, Tone},
};
use leptos::prelude::*;

/// Tone and glyph of an order: money was captured, or not.
pub fn tone(order: &StoredOrder) -> (Tone, &'static str) {
    if order.charged { ("accepted", "done") } else { ("neutral", "dash") }
}

/// The gateway's word.
pub fn badge(order: &StoredOrder) -> impl IntoView + use<> {
    let (tone, glyph) = tone(order);
    view! {
        <span class="badge" data-code="" data-tone=tone data-order-status=order.status.clone()>
            <Glyph name=glyph />
            {order.status.clone()}
        </span>
    }
}
