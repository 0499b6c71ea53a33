//! Step 2: the file as the browser read it, what was found, what will happen, and the act.

use super::{
    findings::{FindingGroup, Repeats, ToConfirm},
    switch::SwitchField,
    table::Rows,
    upload_form::UploadForm,
};
use crate::{
    domain::{limits::size_text, money::Money, operation::Work, view::NewBatch},
    ui::{
        components::{Banner, Button, Glyph, Icon, Kind, MoneyView, Size, count},
        worker::messages::{EditorRequest, Repair, RowsQuery},
    },
};
use leptos::prelude::*;

/// Everything about a file that was read here.
#[component]
pub fn ReviewStep(upload: UploadForm, new: NewBatch) -> impl IntoView {
    let examined = Memo::new(move |_| upload.of(|report| report.examined));
    view! {
        <Summary upload/>
        <div class="split" data-side=move || examined.get().then_some("start")>
            <Findings upload/>
            {move || examined.get().then(|| view! { <Rows upload/> })}
        </div>
        <Confirm upload new=new.clone()/>
        <Dock upload/>
    }
    .into_any()
}

/// Money as the report has it.
fn total(upload: UploadForm) -> Signal<Money> {
    let currency = upload.options.currency;
    Signal::derive(move || Money::new(upload.of(|report| report.total_minor), currency))
}

#[component]
fn Summary(upload: UploadForm) -> impl IntoView {
    let name = move || upload.chosen.get().unwrap_or_default().name;
    let facts = move || {
        let bytes = upload.chosen.get().unwrap_or_default().bytes;
        let template = upload.of(|report| report.template.as_ref().map(|template| format!(" · {template}")));
        format!("{}{} · read in this browser, nothing is sent yet", size_text(bytes), template.unwrap_or_default())
    };
    let examined = move || upload.of(|report| report.examined);
    let figure = move |read: fn(&crate::ui::worker::messages::Report) -> u64| {
        if examined() { count(upload.of(read)) } else { "–".to_owned() }
    };
    let bad = move || upload.of(|report| report.bad() > 0 || report.errors > 0);
    view! {
        <section class="card" aria-label="The file">
            <div class="card-head">
                <div class="row"><Icon name="file"/><h2 id="file-name" tabindex="-1">{name}</h2></div>
                <small>{facts}</small>
                <Button size=Size::Small plain=true on_press=Callback::new(move |_| upload.choose_another())>"Choose another file"</Button>
            </div>
            <div class="tiles" data-size="sm" role="status">
                <div><span class="tile-label">"Rows"</span><span class="tile-number">{move || count(upload.of(|report| report.rows))}</span></div>
                <div>
                    <span class="tile-label"><Glyph name="accepted" tone="accepted"/>"Ready"</span>
                    <span class="tile-number">{move || figure(|report| report.ready)}</span>
                </div>
                <div>
                    <span class="tile-label"><Glyph name="failed" tone="failed"/>"With errors"</span>
                    <span class="tile-number" class:bad=bad>{move || figure(|report| report.bad())}</span>
                </div>
                <div>
                    <span class="tile-label"><Glyph name="partial" tone="waiting"/>"Warnings"</span>
                    <span class="tile-number">{move || count(upload.of(|report| report.warnings))}</span>
                </div>
                {upload.operation.has_amounts().then(|| view! {
                    <div>
                        <span class="tile-label">"Total of ready rows"</span>
                        <span class="tile-number"><MoneyView amount=total(upload)/></span>
                    </div>
                })}
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Findings(upload: UploadForm) -> impl IntoView {
    let groups = Memo::new(move |_| upload.of(|report| report.groups.clone()));
    let repairs = Memo::new(move |_| upload.of(|report| report.repairs.clone()));
    let examined = Memo::new(move |_| upload.of(|report| report.examined));
    let jump = Callback::new(move |(row, _): (u32, Option<String>)| {
        upload.show(RowsQuery { only: upload.only.get_untracked(), show: Some(row), ..RowsQuery::default() });
    });
    let mend = Callback::new(move |kind| upload.fix(kind));
    let listed = move || {
        let groups = groups.get();
        if examined.get() {
            groups.into_iter().map(|group| view! { <FindingGroup group jump mend/> }).collect_view().into_any()
        } else {
            groups.into_iter().map(|group| view! { <FindingGroup group/> }).collect_view().into_any()
        }
    };
    // Below the table there is another one, but only a file whose columns are right has a table.
    let undo = move || {
        let stuck = !examined.get() && upload.of(|report| report.changed);
        stuck.then(|| {
            view! {
                <div class="card-foot">
                    <Button
                        kind=Kind::Quiet
                        size=Size::Small
                        icon="undo"
                        plain=true
                        on_press=Callback::new(move |_| upload.act(EditorRequest::Undo))
                    >
                        "Undo"
                    </Button>
                </div>
            }
        })
    };
    let nothing = move || groups.with(Vec::is_empty) && upload.repeats.with(Vec::is_empty);
    view! {
        <section class="card" aria-labelledby="findings">
            <div class="card-head">
                <h2 id="findings" tabindex="-1">"Findings"</h2>
                <small>{move || if nothing() { "none" } else { "errors first" }}</small>
            </div>
            <div class="findings">
                {move || repairs.get().into_iter().map(|repair| view! { <RepairOffer upload repair/> }).collect_view()}
                {move || {
                    let repeats = upload.repeats.get();
                    (!repeats.is_empty()).then(|| view! { <Repeats operation=upload.operation repeats confirmed=upload.confirmed/> })
                }}
                {move || {
                    let asks = upload.of(|report| report.asks());
                    asks.then(|| view! { <ToConfirm groups=groups.get() confirmed=upload.sure/> })
                }}
                {listed}
                {move || nothing().then(|| view! {
                    <article class="finding" data-tone="accepted">
                        <Glyph name="accepted"/>
                        <h3>{if upload.operation.has_amounts() { "Every row can be sent" } else { "Every row is in order" }}</h3>
                        <p>"Nothing was found in this file."</p>
                    </article>
                })}
            </div>
            {undo}
        </section>
    }
    .into_any()
}

/// A repair of the whole file: what it would do stands above its button.
#[component]
fn RepairOffer(upload: UploadForm, repair: Repair) -> impl IntoView {
    use crate::ui::worker::messages::RepairKind;
    let kind = repair.kind;
    let words = match kind {
        RepairKind::Delimiter => "Put commas between the columns",
        RepairKind::Columns => "Arrange the columns",
    };
    view! {
        <article class="finding" data-tone="queued">
            <Glyph name="info"/>
            <h3>"This can be repaired here"</h3>
            <p>{repair.preview}</p>
            <div>
                <Button size=Size::Small plain=true on_press=Callback::new(move |_| upload.repair(kind))>{words}</Button>
            </div>
        </article>
    }
    .into_any()
}

fn rows_label(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{} rows", count(rows)) }
}

/// Why "Upload" does not send the file as it stands.
fn hindrance(upload: UploadForm) -> Option<String> {
    upload.report.with(|report| {
        let report = report.as_ref()?;
        if !report.is_clean() {
            let what = match (report.examined, report.bad()) {
                (true, 0) | (false, _) => "Correct what is wrong with the file first.".to_owned(),
                (true, bad) => format!("Fix or remove {} first.", rows_label(bad)),
            };
            return Some(format!("{what} A file with an error is not sent at all."));
        }
        if upload.asks() {
            return Some(
                "Something has to be confirmed. Tick \u{201c}Upload it anyway\u{201d} if it is meant.".to_owned(),
            );
        }
        let repeated = upload.repeats.with(|repeats| !repeats.is_empty()) && !upload.confirmed.get();
        repeated
            .then(|| "It was uploaded before. Tick \u{201c}Upload it again anyway\u{201d} if it is meant.".to_owned())
    })
}

#[component]
fn Confirm(upload: UploadForm, new: NewBatch) -> impl IntoView {
    let gateway = new.gateway.clone().unwrap_or_else(|| "the gateway".to_owned());
    let checker = new.maker_checker;
    let kept = move || {
        if upload.of(|report| report.changed) {
            "The file is kept as it was corrected here."
        } else {
            "The file is kept as it came."
        }
    };
    let decided = if checker {
        "A checker decides. You cannot approve your own request."
    } else {
        upload.operation.labels().unapproved_upload
    };
    let external = new.external.clone();
    let sent = move || match upload.operation.work() {
        Work::Send(_) => format!("Then each row is sent once to {gateway}, and you watch it here."),
        Work::Query => {
            let asked = match upload.toggle.get() {
                true => format!("Then each order is read from {gateway}"),
                false => "Then each order is taken as it was stored last; the gateway is not asked".to_owned(),
            };
            match &external {
                Some(host) => format!("{asked}, and told to {host}."),
                None => format!("{asked}, and kept in Batchdesk."),
            }
        }
        Work::Import => "Then each row is stored in Batchdesk.".to_owned(),
    };
    let largest = move || {
        let largest = upload.of(|report| report.largest);
        largest.map(|(row, minor)| {
            let amount = Money::new(minor, upload.options.currency);
            view! { <p class="small">"Largest: "<MoneyView amount=amount/>", row "{row}</p> }
        })
    };
    let ready = move || upload.of(|report| report.ready);
    let bad = move || upload.of(|report| if report.examined { report.bad() } else { 0 });
    view! {
        <section class="card confirm" aria-labelledby="confirm">
            <div class="card-body stack">
                <h2 id="confirm">"What will happen"</h2>
                <ol class="will">
                    <li>{kept}</li>
                    <li>{decided}</li>
                    <li>{sent}</li>
                </ol>
            </div>
            <div class="card-body stack">
                {upload.switch().map(|switch| view! { <SwitchField upload switch/> })}
                {upload.operation.has_amounts().then(|| view! {
                    <div class="verdict">
                        <span class="tile-label">{move || match ready() {
                            1 => "Total of the 1 row that is ready".to_owned(),
                            ready => format!("Total of the {} rows that are ready", count(ready)),
                        }}</span>
                        <span><span class="sum"><MoneyView amount=total(upload) large=true/></span></span>
                        {largest}
                    </div>
                })}
                <div class="acts">
                    <Send upload/>
                    {move || (bad() > 0).then(|| view! {
                        <Button size=Size::Large plain=true on_press=Callback::new(move |_| upload.act(EditorRequest::RemoveBad))>
                            {move || format!("Remove {}", rows_label(bad()))}
                        </Button>
                    })}
                </div>
                <p class="error" id="why-not" role="alert" data-tone="failed">
                    {move || hindrance(upload).filter(|_| upload.refused.get()).map(|why| view! { <Glyph name="failed"/><span>{why}</span> })}
                </p>
                {move || hindrance(upload).filter(|_| !upload.refused.get()).map(|why| view! { <p class="small soft">{why}</p> })}
            </div>
        </section>
    }
    .into_any()
}

/// The act, or how far it has come.
#[component]
fn Send(upload: UploadForm) -> impl IntoView {
    let under_way = Memo::new(move |_| upload.sending.with(Option::is_some));
    let far = move || upload.sending.get().unwrap_or_default();
    move || {
        if under_way.get() {
            view! {
                <div class="sending">
                    <span role="status">{move || {
                        let (done, all) = far();
                        if done >= all { "Sent. The server checks it…".to_owned() } else { format!("Sending {} of {}", size_text(done), size_text(all)) }
                    }}</span>
                    <progress
                        aria-label="Bytes sent"
                        max=move || far().1.max(1).to_string()
                        prop:value=move || i32::try_from(far().0).unwrap_or(i32::MAX)
                    ></progress>
                    <Button plain=true on_press=Callback::new(move |_| upload.cancel())>"Cancel"</Button>
                </div>
            }
            .into_any()
        } else {
            let number = move || match upload.of(|report| if report.is_clean() { report.ready } else { 0 }) {
                0 => None,
                ready => Some(format!("{} {}", count(ready), upload.operation.thing(ready))),
            };
            view! {
                <Button kind=Kind::Primary size=Size::Large icon="upload" plain=true on_press=Callback::new(move |_| upload.upload())>
                    "Upload"
                </Button>
                <p>{number}</p>
            }
            .into_any()
        }
    }
}

/// What was not taken, offline, signed out.
#[component]
pub fn Troubles(upload: UploadForm) -> impl IntoView {
    move || {
        upload.trouble.get().map(|trouble| {
            let sign_in = trouble.sign_in.then(|| {
                view! { <a class="button" data-size="sm" href="/login" target="_blank" rel="external">"Sign in"</a> }
            });
            view! {
                <Banner tone="failed" title=trouble.title>{trouble.text}" "{sign_in}</Banner>
            }
        })
    }
}

/// On a phone: how many errors are left, and the way to the next.
#[component]
fn Dock(upload: UploadForm) -> impl IntoView {
    let bad = move || upload.of(|report| if report.examined { report.bad() } else { 0 });
    let sum = total(upload);
    let amounts = upload.operation.has_amounts();
    move || {
        (bad() > 0).then(|| {
            view! {
                <div class="dock only-menu">
                    <p>
                        <b class="bad">{move || format!("{} with errors", rows_label(bad()))}</b>
                        <small>{move || if amounts { format!("{} ready", sum.get()) } else { format!("{} ready", count(upload.of(|report| report.ready))) }}</small>
                    </p>
                    <Button plain=true on_press=Callback::new(move |_| upload.next_error())>"Next error"</Button>
                </div>
            }
        })
    }
}
