//! The made-up people's names, addresses and remarks. No domain, number or company here belongs to anyone.

/// Names of one language area: as written, and as its e-mail addresses spell them.
pub(crate) struct Names {
    /// Given names.
    pub(crate) given: &'static [(&'static str, &'static str)],
    /// Family names.
    pub(crate) family: &'static [(&'static str, &'static str)],
}

/// People of many scripts. Some names carry combining marks, apostrophes, hyphens or direction marks.
pub(crate) const PEOPLE: &[Names] = &[
    Names {
        given: &[
            ("Zoë", "zoe"),
            ("Jürgen", "juergen"),
            ("Siân", "sian"),
            ("Łukasz", "lukasz"),
            ("José", "jose"),
            ("Jose\u{301}", "jose"),
            ("Mary-Jane", "mary-jane"),
            ("D’Arcy", "darcy"),
            ("Søren", "soren"),
            ("Anh Thư", "anhthu"),
            ("Seán", "sean"),
            ("Çağla", "cagla"),
        ],
        family: &[
            ("O’Brien", "obrien"),
            ("O'Neill", "o'neill"),
            ("Müller", "mueller"),
            ("Núñez", "nunez"),
            ("Nu\u{301}n\u{303}ez", "nunez"),
            ("van der Berg", "vanderberg"),
            ("Ångström", "angstrom"),
            ("Dvořák", "dvorak"),
            ("Nguyễn", "nguyen"),
            ("Þórsdóttir", "thorsdottir"),
            ("Weiß", "weiss"),
            ("Smith, Jr.", "smith.jr"),
        ],
    },
    Names {
        given: &[
            ("Ελένη", "eleni"),
            ("Γιώργος", "giorgos"),
            ("Σοφία", "sofia"),
        ],
        family: &[
            ("Παπαδοπούλου", "papadopoulou"),
            ("Νικολαΐδης", "nikolaidis"),
        ],
    },
    Names {
        given: &[
            ("Анна", "anna"),
            ("Дмитрий", "dmitry"),
            ("Їванна", "yivanna"),
            ("Ђорђе", "djordje"),
        ],
        family: &[
            ("Королёва", "koroleva"),
            ("Шевченко", "shevchenko"),
            ("Петровић", "petrovic"),
        ],
    },
    Names {
        given: &[
            ("ليلى", "layla"),
            ("مُحَمَّد", "muhammad"),
            ("\u{200f}سارة", "sara"),
        ],
        family: &[("الخطيب", "alkhatib"), ("حدّاد", "haddad")],
    },
    Names {
        given: &[("נועה", "noa"), ("יִצְחָק", "yitzhak")],
        family: &[("כהן", "cohen"), ("בן־דוד", "ben-david")],
    },
    Names {
        given: &[("अनीता", "anita"), ("राजेश", "rajesh")],
        family: &[("शर्मा", "sharma"), ("त्रिपाठी", "tripathi")],
    },
    Names {
        given: &[("สมชาย", "somchai"), ("กัญญา", "kanya")],
        family: &[("ศรีสุข", "srisuk"), ("วงศ์ใหญ่", "wongyai")],
    },
    Names {
        given: &[("小龍", "xiaolong"), ("美玲", "meiling"), ("𠮷之", "jizhi")],
        family: &[("王", "wang"), ("歐陽", "ouyang"), ("李", "li")],
    },
    Names {
        given: &[("さくら", "sakura"), ("健太", "kenta"), ("ジョン", "jon")],
        family: &[("山田", "yamada"), ("髙橋", "takahashi"), ("伊藤", "ito")],
    },
    Names {
        given: &[("민준", "minjun"), ("서연", "seoyeon")],
        family: &[("김", "kim"), ("박", "park")],
    },
];

/// Mail domains that nobody can own, some of them international.
pub(crate) const DOMAINS: &[&str] = &[
    "example.com",
    "example.org",
    "example.net",
    "mail.example.com",
    "shop.example",
    "bücher.example",
    "пример.example",
    "例え.example",
];

/// Phone numbers as people type them, for which any three last digits make a valid number.
pub(crate) const PHONES: &[&str] = &[
    "020 7946 0",
    "(020) 7946 0",
    "02079460",
    "+44 20 7946 0",
    "0044 20 7946 0",
    "+49 30 23125 ",
    "+49 (30) 23125-",
    "+34 612 345 ",
    "+34612345",
    "+61 491 570 ",
    "+61 491-570-",
];

/// What also stands in phone columns.
pub(crate) const BAD_PHONES: &[&str] = &[
    "12345",
    "n/a",
    "+44 20 7946",
    "ask reception",
    "000000",
    "+999 123 456 789",
];

/// Remarks with what breaks careless readers: quotes, delimiters, line ends, tabs, direction marks, emoji.
pub(crate) const NOTES: &[&str] = &[
    "Called twice, no answer",
    "Prefers \"morning\" calls, never on Fridays",
    "Line one\nline two\n\nline four",
    "Copied from a mail:\r\nDear Sir or Madam,\r\n\"please call back\"",
    "Köln 🚀 launch partner 👩🏽‍💻",
    "semicolons; pipes | and\ttabs",
    "\"",
    "=SUM(A1:A9)",
    "מכתב בעברית, then English",
    "  indented on purpose  ",
    "很满意，谢谢！",
    "NULL",
    "Trailing backslash \\",
    "It's 100% fine & <b>bold</b>",
];

/// Product names of `products.csv` that load.
pub(crate) const LOADED_PRODUCTS: &[(&str, &str)] = &[
    ("000103", "Analytics Studio"),
    ("000104", "Données & Rapports"),
    ("000106", "Payroll, Basic"),
    ("000107", "スマート受付"),
    ("000108", "Field Service"),
    ("000110", "Priority \"24/7\" Support"),
    ("000111", "Интеграция"),
    ("000112", "Mobile App 📱"),
];

/// Product names that the site has from the start.
pub(crate) const SEEDED_PRODUCTS: &[&str] = &[
    "Support Portal",
    "Cloud Backup",
    "Legacy Suite",
    "Training Days",
];

/// Names of products that exist nowhere.
pub(crate) const UNKNOWN_PRODUCTS: &[&str] = &["Fax Gateway", "Telex Bridge", "製品未定"];

/// Names of organizations that exist nowhere.
pub(crate) const UNKNOWN_ORGANIZATIONS: &[&str] = &[
    "Nowhere Ltd",
    "Gibt Es Nicht GmbH",
    "Рога и Копыта",
    "Phantom, Inc.",
    "幽霊商会",
];

/// Organizations that are both on the site and in the export.
pub(crate) const SHARED_ORGANIZATIONS: &[&str] = &[
    "Blue Harbour Ltd",
    "Grünwald & Söhne GmbH",
    "Pan y Sal, S.L.",
    "L’Atelier du Nord",
    "Ølfabrikken A/S",
    "Βιβλιοπωλείο Αθηνά",
    "Каштан и Ко",
    "مكتبة النخيل",
    "מאפיית הגליל",
    "हिमालय ट्रेडर्स",
    "บ้านไม้หอม",
    "青山茶業",
    "さくら工房",
    "한빛상사",
    "The \"Quiet\" Library",
    "Tom, Dick & Harriet LLP",
    "Żubr Sp. z o.o.",
    "Straße 9 Logistik",
    "Ljós og Skuggi ehf.",
    "Comma, Comma & Co",
];

/// Organizations that only the site has.
pub(crate) const SITE_ORGANIZATIONS: &[&str] = &[
    "Old Mill Trust",
    "Vanha Satama Oy",
    "Ferme des Trois Chênes",
    "Zürcher Uhrenhaus AG",
    "Açaí do Rio Ltda",
    "Αφοί Λεμόνη",
    "Сибирские Ягоды",
    "بيت القهوة",
    "גן הוורדים",
    "काशी वस्त्र",
    "ร้านดอกไม้",
    "長城印刷",
    "雪国システム",
    "바다식품",
    "Cork & Bottle",
    "Quay Street Dental",
    "Nordlicht e.V.",
    "Museo del Té",
    "Hill's Hardware",
    "Ting & Tang",
];

/// Organizations that only the export has, in many scripts.
pub(crate) const EXPORTED_ORGANIZATIONS: &[&str] = &[
    "Café Zürich",
    "Bäckerei Öztürk",
    "Société Générique, S.A.",
    "Peña Ñandú",
    "Émile & Zoé",
    "Smørrebrød Huset",
    "Kürbis \"Gold\" KG",
    "Ολύμπια Ταξίδια",
    "Ψηφιακή Θράκη",
    "Северный Ветер",
    "Зелений Гай",
    "Ћирилица д.о.о.",
    "شركة الواحة",
    "دار الحكمة",
    "ספרים ועוד",
    "אור ושות׳",
    "गंगा इंजीनियरिंग",
    "नमस्ते फूड्स",
    "ข้าวทอง จำกัด",
    "สวนสยาม",
    "龍門電子（上海）",
    "臺北紙業",
    "山の手ソフト",
    "株式会社テスト見本",
    "서울나무",
    "푸른하늘",
    "Emoji 🍕 Kitchen",
    "A.B.C., Inc.",
    "“Curly” Quotes Ltd",
    "O’Malley's Yard",
    "Ünal İnşaat",
    "Ħal Tarxien Crafts",
    "Čokoláda s.r.o.",
    "Învățăm Împreună SRL",
    "Tōkyō Tea House",
    "Ngọc Lan Spa",
];

/// First words of the remaining organizations' names.
pub(crate) const FIRST_WORDS: &[&str] = &[
    "Amber", "Birch", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Hazel", "Indigo", "Juniper",
    "Kestrel", "Lantern", "Meadow", "Nimbus", "Orchard", "Pebble", "Quarry", "Raven", "Saffron",
    "Thistle", "Umber", "Violet", "Willow", "Yarrow", "Zephyr",
];

/// Last words of the remaining organizations' names.
pub(crate) const LAST_WORDS: &[&str] = &[
    "Foods Ltd",
    "Systems GmbH",
    "Travel, Inc.",
    "Textiles S.r.l.",
    "Health NV",
    "Energy & Water",
    "Books",
];
