//! What stands around a table: tabs, chips, sortable heads and page numbers. All are links, so that they work without
//! JavaScript and can be opened beside the page.

use super::{Icon, count};
use leptos::prelude::*;

/// One tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    /// Where it leads.
    pub href: &'static str,
    /// What it is called.
    pub text: &'static str,
    /// Whether this page belongs to it.
    pub current: bool,
}

/// Tabs that are pages.
#[component]
pub fn Tabs(
    /// What they divide.
    label: &'static str,
    /// The tabs.
    tabs: Vec<Tab>,
) -> impl IntoView {
    view! {
        <nav class="tabs" aria-label=label>
            {tabs
                .into_iter()
                .map(|tab| view! { <a href=tab.href aria-current=tab.current.then_some("page")>{tab.text}</a> })
                .collect_view()}
        </nav>
    }
    .into_any()
}

/// One chip of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    /// The list with this filter.
    pub href: String,
    /// What it keeps.
    pub text: String,
    /// How many rows it keeps.
    pub count: u64,
    /// Whether the list is filtered so.
    pub current: bool,
}

/// A filter with counts.
#[component]
pub fn Chips(
    /// What is filtered by.
    label: &'static str,
    /// The choices, "All" first.
    chips: Vec<Chip>,
) -> impl IntoView {
    view! {
        <nav class="chips" aria-label=label>
            {chips
                .into_iter()
                .map(|chip| {
                    view! {
                        <a href=chip.href aria-current=chip.current.then_some("true")>
                            {chip.text}
                            " "
                            <small>{count(chip.count)}</small>
                        </a>
                    }
                })
                .collect_view()}
        </nav>
    }
    .into_any()
}

/// The head of a column that the list can be sorted by.
#[component]
pub fn SortHeader(
    /// Name of the column.
    text: &'static str,
    /// The list sorted by it: ascending at the first press, then back and forth.
    #[prop(into)]
    href: String,
    /// Whether it is sorted by it, and then whether descending.
    sorted: Option<bool>,
    /// `cash` or `num`, for columns of figures.
    #[prop(optional)]
    class: Option<&'static str>,
) -> impl IntoView {
    let order = sorted.map(|descending| if descending { "descending" } else { "ascending" });
    let arrow = sorted.map(|descending| if descending { "arrowdown" } else { "arrowup" });
    view! {
        <th role="columnheader" scope="col" class=class aria-sort=order>
            <a href=href>{text} {arrow.map(|name| view! { <Icon name=name /> })}</a>
        </th>
    }
    .into_any()
}

/// The page numbers to show: the first, the last, those around this one; `None` is a gap.
fn numbers(page: u32, pages: u32) -> Vec<Option<u32>> {
    let mut shown: Vec<u32> = [1, page.saturating_sub(1), page, page + 1, pages]
        .into_iter()
        .filter(|number| (1..=pages).contains(number))
        .collect();
    shown.sort_unstable();
    shown.dedup();
    let mut out = Vec::new();
    let mut last = 0;
    for number in shown {
        match number - last {
            0 | 1 => {}
            2 => out.push(Some(number - 1)),
            _ => out.push(None),
        }
        out.push(Some(number));
        last = number;
    }
    out
}

/// Where in a list this page stands, and the other pages.
#[component]
pub fn Pagination<F>(
    /// This page, from 1.
    page: u32,
    /// How many pages there are.
    pages: u32,
    /// Rows of a full page.
    size: u32,
    /// Rows on all pages.
    total: u64,
    /// Address of a page; keeps the rest of the query.
    href: F,
) -> impl IntoView
where
    F: Fn(u32) -> String,
{
    let first = u64::from(page.saturating_sub(1)) * u64::from(size) + 1;
    let last = (first + u64::from(size)).saturating_sub(1).min(total);
    let range = if total == 0 {
        "0 of 0".to_owned()
    } else {
        format!("{}–{} of {}", count(first), count(last), count(total))
    };
    let item = |number: Option<u32>| match number {
        None => view! { <li><span class="gap">"…"</span></li> }.into_any(),
        Some(number) => view! {
            <li>
                <a
                    href=href(number)
                    aria-current=(number == page).then_some("page")
                    aria-label=format!("Page {number}")
                >
                    {number}
                </a>
            </li>
        }
        .into_any(),
    };
    let links = (pages > 1).then(|| {
        view! {
            <ol>
                {(page > 1).then(|| view! { <li><a href=href(page - 1) rel="prev">"Previous"</a></li> })}
                {numbers(page, pages).into_iter().map(item).collect_view()}
                {(page < pages).then(|| view! { <li><a href=href(page + 1) rel="next">"Next"</a></li> })}
            </ol>
        }
    });
    view! {
        <nav class="pages" aria-label="Pages">
            <span>{range}</span>
            {links}
        </nav>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn page_numbers_have_gaps_only_where_pages_are_left_out() {
        let text = |page, pages| {
            numbers(page, pages)
                .into_iter()
                .map(|n| n.map_or("…".to_owned(), |n| n.to_string()))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(text(1, 1), "1");
        assert_eq!(text(1, 22), "1 2 … 22");
        assert_eq!(text(3, 5), "1 2 3 4 5");
        assert_eq!(text(5, 20), "1 … 4 5 6 … 20");
        assert_eq!(text(4, 4), "1 2 3 4");
        assert_eq!(text(99, 4), "1 … 4");
    }
}
