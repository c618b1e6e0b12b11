use super::*;

/// Reads and shows each document as `index[.item] line:col kind/name`, each problem as it prints.
fn show(text: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    for d in read("f", text) {
        out.push(match d {
            Ok(d) => {
                let (line, col) = d.places.find(&[]);
                let item = d.item.map(|i| format!(".{i}")).unwrap_or_default();
                format!("{}{item} {line}:{col} {}/{}", d.index, d.field("kind"), d.name())
            }
            Err(p) => p.to_string(),
        });
    }
    out
}

#[test]
fn files_are_cut_into_documents() {
    let cases: &[(&str, &[u8], &[&str])] = &[
        ("empty", b"", &[]),
        ("blank", b"\n \n# c\n---\n---\n...\n", &[]),
        ("one", b"kind: A\n", &["0 1:1 A/"]),
        (
            "two",
            b"kind: A\n---\nkind: B\nmetadata: {name: m}\n",
            &["0 1:1 A/", "1 3:1 B/m"],
        ),
        (
            "crlf",
            b"---\r\nkind: A\r\n---\r\nkind: B\r\n",
            &["0 2:1 A/", "1 4:1 B/"],
        ),
        ("bom", b"\xef\xbb\xbfkind: A\n", &["0 1:1 A/"]),
        ("directive", b"%YAML 1.1\n---\nkind: A\n", &["0 3:1 A/"]),
        (
            "same line",
            b"--- {kind: A}\n--- # c\nkind: B\n",
            &["0 1:5 A/", "1 3:1 B/"],
        ),
        ("dots", b"kind: A\n...\nkind: B\n", &["0 1:1 A/", "1 3:1 B/"]),
        (
            "marker in block scalar",
            b"kind: A\ns: |\n  x\n  ---\n  y\n---\nkind: B\n",
            &["0 1:1 A/", "1 7:1 B/"],
        ),
        (
            "longer dashes",
            b"kind: A\na: b\n ---\n----: c\n---x: 1\n",
            &["0 1:1 A/"],
        ),
        (
            "bad one between",
            b"kind: A\n---\na: [\n---\nkind: C\n",
            &["0 1:1 A/", "BAD 3", "2 5:1 C/"],
        ),
        (
            "duplicate",
            b"a: 1\nb:\n  c: 1\n  c: 2\n",
            &["f:4:3: key \"c\" already set in map"],
        ),
        (
            "not text",
            b"kind: A\n---\na: \"\xff\"\n---\nkind: B\n",
            &["0 1:1 A/", "f:3:5: the text is not UTF-8", "2 5:1 B/"],
        ),
        (
            "utf-16",
            b"\xff\xfea\0",
            &["f:1:1: the text is UTF-16; save it as UTF-8"],
        ),
        ("json", b"{\"kind\":\"A\"}", &["0 1:1 A/"]),
        (
            "json stream",
            b"{\"kind\":\"A\"}\n{\"kind\":\"B\",\"x\":\"}{\\\"\"}{\"kind\":\"C\"}\n",
            &["0 1:1 A/", "1 2:1 B/", "2 2:24 C/"],
        ),
        (
            "json and marker",
            b"{\"kind\":\"A\"}\n---\n{\"kind\":\"B\"}",
            &["0 1:1 A/", "1 3:1 B/"],
        ),
        ("json with tabs", b"{\n\t\"kind\":\t\"A\"\n}", &["0 1:1 A/"]),
        (
            "json duplicate",
            b"{\"a\":1,\n\"a\":2}",
            &["f:2:1: key \"a\" already set in map"],
        ),
        ("flow yaml", b"{kind: A, metadata: {name: x}} # c\n", &["0 1:1 A/x"]),
        (
            "sequence",
            b"- a\n",
            &["f:1:1: a document must be an object with apiVersion and kind, this is of type array"],
        ),
        (
            "scalar",
            b"kind: A\n---\nhello\n",
            &[
                "0 1:1 A/",
                "f:3:1: a document must be an object with apiVersion and kind, this is of type string",
            ],
        ),
        (
            "list",
            b"kind: List\napiVersion: v1\nitems:\n- kind: A\n- kind: B\n- 1\n---\nkind: C\n",
            &[
                "0.0 4:3 A/",
                "0.1 5:3 B/",
                "f:6:3: an item of a List must be an object, this is of type number",
                "1 8:1 C/",
            ],
        ),
        (
            "typed list",
            b"kind: PodList\napiVersion: v1\nitems:\n- metadata: {name: p}\n",
            &["0.0 4:3 Pod/p"],
        ),
        ("list of nothing", b"kind: List\napiVersion: v1\n", &[]),
        (
            "kind that ends with List",
            b"kind: AllowList\nspec: {}\n",
            &["0 1:1 AllowList/"],
        ),
    ];
    for (name, text, want) in cases {
        let got: Vec<String> = show(text)
            .into_iter()
            .map(|s| match s.split(':').nth(1) {
                Some(line) if want.contains(&format!("BAD {line}").as_str()) => format!("BAD {line}"),
                _ => s,
            })
            .collect();
        assert_eq!(got, *want, "{name}");
    }
}

/// The pieces of a file that comes in parts.
fn in_parts(text: &[u8], size: usize) -> Vec<Piece> {
    let mut cutter = Cutter::default();
    for part in text.chunks(size) {
        cutter.push(part);
    }
    cutter.finish()
}

#[test]
fn the_size_of_the_parts_does_not_matter() {
    let words: &[&str] = &[
        "---", "...", "\n", "\n", "\n", " ", "\r\n", "#", "{", "}", "[", "]", "\"", "\\", ",", ":", "%", "a", "é",
        "\u{feff}", "--- ", "- ", "items:",
    ];
    let mut state = 7_u64;
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(words[(state >> 33) as usize % words.len()]);
        }
        let whole = pieces(text.as_bytes());
        for size in [1, 2, 3, 5] {
            assert_eq!(in_parts(text.as_bytes(), size), whole, "{text:?} in parts of {size}");
        }
    }
}

#[test]
fn places_point_into_the_file() {
    let text = "kind: A\n---\nkind: T\nspec:\n  targets:\n  - target: x\n    rego: |\n      package a\n\n      x = 1\n  - {rego: z}\n";
    let docs = read("f", text.as_bytes());
    let places = &docs.get(1).unwrap().as_ref().unwrap().places;
    let cases: &[(&[&str], (u32, u32))] = &[
        (&["kind"], (3, 1)),
        (&["spec", "targets"], (5, 3)),
        (&["spec", "targets", "0", "rego"], (7, 5)),
        (&["spec", "targets", "1"], (11, 5)),
        (&["spec", "targets", "7", "rego"], (5, 3)),
        (&["nope"], (3, 1)),
    ];
    for (path, want) in cases {
        assert_eq!(places.find(path), *want, "{path:?}");
    }
    assert_eq!(places.text_start(&["spec", "targets", "0", "rego"]), Some((8, 7)));
    assert_eq!(places.text_start(&["spec", "targets", "1", "rego"]), None);
}

#[test]
fn big_lists_are_cut_as_they_are_parsed() {
    let filler = "x".repeat(300);
    let yaml_item = |dash: &str, i: usize| {
        let pad = " ".repeat(dash.len());
        format!(
            "{dash}apiVersion: v1\n{pad}kind: A\n{pad}metadata: {{name: n{i}}}\n{pad}text: |\n{pad}  - {filler}\n{pad}list:\n{pad}- a\n"
        )
    };
    let json_item =
        |i: usize| format!("{{\"kind\": \"A\", \"metadata\": {{\"name\": \"n{i}\"}}, \"t\": \"{filler}]}}\"}}");
    let joined = |n, f: &dyn Fn(usize) -> String, by: &str| (0..n).map(f).collect::<Vec<_>>().join(by);
    let bigs = [
        format!(
            "apiVersion: v1\nitems:\n{}kind: List\nmetadata:\n  resourceVersion: \"\"\n",
            joined(4000, &|i| yaml_item("- ", i), "")
        ),
        format!(
            "kind: List\napiVersion: v1\nitems:\n{}",
            joined(4000, &|i| yaml_item("  - ", i), "# c\n\n")
        ),
        format!(
            "{{\"apiVersion\": \"v1\",\n \"items\": [\n  {}\n], \"kind\": \"List\", \"metadata\": {{}} }}\n",
            joined(4000, &json_item, ", ")
        ),
        format!(
            "{{\"apiVersion\": \"v1\",\n \"items\": [\n  {}\n], \"kind\": \"List\"}}\n",
            joined(4000, &json_item, ",\n  ")
        ),
    ];
    for big in bigs {
        assert_eq!(pieces(big.as_bytes()).len(), 4000);
        assert_eq!(in_parts(big.as_bytes(), 4096), pieces(big.as_bytes()));
        let cut = show(big.as_bytes());
        // As one piece, as a small list would be.
        let all = Piece {
            end: big.len(),
            item: None,
            form: if big.starts_with('{') { Form::Json } else { Form::Yaml },
            at: (1, 1),
            start: 0,
            index: 0,
        };
        let whole = all.read("f", all.of(big.as_bytes()));
        let whole: Vec<String> = whole
            .into_iter()
            .map(|d| {
                let d = d.unwrap();
                let (line, col) = d.places.find(&[]);
                format!(
                    "{}.{} {line}:{col} {}/{}",
                    d.index,
                    d.item.unwrap(),
                    d.field("kind"),
                    d.name()
                )
            })
            .collect();
        // Places are asked of a few: each asks for the whole list.
        assert_eq!(cut, whole);
    }
    let odd = format!(
        "kind: List\nitems:\n- &a {{kind: A, t: {filler}}}\n{}",
        "- *a\n".repeat(300_000)
    );
    assert_eq!(pieces(odd.as_bytes()).len(), 1);
}
