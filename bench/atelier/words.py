"""The words of the captions: nothing but lists, a newcomer's place to add a synonym."""

from __future__ import annotations

from typing import Final

SUBJECT_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "mountains": "mountain|mountains|peaks|peak|ridge|ridges|hills|hill|cliffs|cliff|crags|summit|summits|slopes|mountain range|valley|distant hills|towering peaks|mountain tops|precipice|foothills|mountainside|rocky heights|a chain of mountains",
        "river": "river|stream|creek|brook|water|waters|lake|shore|riverbank|lakeside|waterfall|pond|rapids|current|ripples|sea|waves|bay|flowing water|winding river|clear stream|river bend|shallows|the far bank",
        "boat": "boat|skiff|sail|sailboat|sailing boat|raft|ferry|fishing boat|canoe|ship|small craft|barge|little boat|rowing boat|sails|boats|ferryboat|lone boat|moored boat",
        "pine": "pine|pine tree|pines|pine trees|old pine|cypress|evergreen|tree|trees|fir|cedar|conifer|woods|forest|gnarled tree|twisted pine|willow|willows|bare trees|wind-bent pine|pine branch|treetops",
        "bamboo": "bamboo|bamboo grove|bamboo stalks|bamboo leaves|stalks of bamboo|bamboo stems|bamboo thicket|a stand of bamboo|young bamboo|bamboos|bamboo canes|bamboo forest",
        "bird": "bird|birds|heron|herons|egret|geese|goose|wild geese|crane|cranes|swallow|swallows|crow|crows|gull|eagle|magpie|sparrow|sparrows|duck|ducks|a flock of birds|kingfisher|hawk|mandarin ducks|seagulls",
        "moon": "moon|full moon|moonlight|crescent moon|moonlit night|rising moon|pale moon|bright moon|new moon|moonrise|autumn moon|harvest moon|the light of the moon",
        "house": "house|cottage|hut|pavilion|cabin|farmhouse|temple|village|dwelling|hall|hermitage|inn|houses|thatched hut|pagoda|courtyard|thatched cottage|studio|monastery|shrine|farmhouses|villa",
        "bridge": "bridge|footbridge|stone bridge|wooden bridge|arched bridge|plank bridge|small bridge|old bridge|bridges|log bridge|covered bridge|a bridge of planks",
        "figure": "traveller|traveler|fisherman|old scholar|person|man|woman|monk|hermit|figure|people|scholar|old man|farmer|child|children|poet|lady|wanderer|girl|boy|shepherd|friends|ferryman|woodcutter|musician|two figures|travellers|fishermen|an old angler|someone|gentleman|walker|guest|painter|mother",
    },
    "zh": {
        "mountains": "山|远山|群峰|山峰|高山|青山|山岭|峰峦|山峦|群山|悬崖|峭壁|山谷|层峦叠嶂|崇山峻岭|山巅|雪山|孤峰|丘陵|山坡|山崖|奇峰|山间|山林|深山|山脚|春山|秋山|空山|大山|连绵的山",
        "river": "江水|溪流|河流|小溪|湖水|江|河|水面|流水|江面|湖面|湖|江岸|岸边|溪水|瀑布|池塘|海|波浪|江边|湖畔|清溪|水流|寒江|河水|溪|水|河边|江上|水边|江心|湖心|浅水|水波|涟漪|大江",
        "boat": "船|小船|孤舟|渔舟|扁舟|帆船|轻舟|渔船|一叶扁舟|归舟|舟|帆|风帆|白帆|渡船|乌篷船|木船|小舟|泛舟|帆影|归帆|客船|行舟",
        "pine": "松树|古松|老松|苍松|青松|松林|孤松|松|古树|树木|老树|柏树|树林|柳树|树|杨柳|枯树|寒林|松枝|松下|松柏|林木|大树|疏林|奇松|一株松",
        "bamboo": "竹|竹子|竹林|修竹|翠竹|竹叶|竹影|青竹|丛竹|几竿竹|竹枝|新竹|幽竹|一丛竹|竹丛|疏竹|风竹",
        "bird": "飞鸟|白鹭|大雁|仙鹤|鹤|鸟|归鸟|雁|鸟儿|燕子|乌鸦|鹰|喜鹊|麻雀|野鸭|鸥|海鸥|鹭鸶|雁阵|孤雁|翠鸟|寒鸦|鸿雁|鸳鸯|白鹤|群鸟|飞雁|水鸟|小鸟|鹭|鸥鸟",
        "moon": "月|月亮|明月|满月|圆月|月光|新月|月色|残月|一轮明月|月下|孤月|月夜|皓月|弯月|秋月|月轮|朗月",
        "house": "房屋|茅屋|村舍|草堂|小屋|亭|亭子|凉亭|寺庙|村庄|楼阁|屋舍|草亭|茅舍|古寺|人家|农舍|庭院|宅院|书斋|楼台|宫殿|塔|屋|房子|木屋|院落|村落|书屋|亭台|水榭",
        "bridge": "桥|小桥|石桥|木桥|拱桥|板桥|石拱桥|长桥|古桥|独木桥|桥上|断桥|一座桥|桥头|桥边",
        "figure": "渔翁|行人|老翁|书生|文人|高士|隐士|僧人|旅人|女子|仕女|人物|老人|樵夫|牧童|孩童|渔夫|农夫|诗人|船夫|少女|游人|老者|友人|男子|一个人|两人|渔人|文士|归人|孩子|母亲|琴师|客人|画家|舟子",
    },
}
"""Language → subject → what it may be called, joined by bars."""

TRADITION_NAMES: Final[dict[str, dict[str, str]]] = {
    "en": {
        "chinese": "Chinese|traditional Chinese|classical Chinese|ancient Chinese",
        "japanese": "Japanese|traditional Japanese|classical Japanese|old Japanese",
        "western": "Western|European|traditional Western|classical European|traditional European",
    },
    "zh": {
        "chinese": "中国|中国传统|中国古典|中国古代|中国式",
        "japanese": "日本|日本传统|日本古典|日本古代|日式",
        "western": "西方|欧洲|西方传统|欧洲传统|西方古典|西洋",
    },
}

TRADITION_MEDIA: Final[dict[str, dict[str, str]]] = {
    "en": {
        "chinese": "Chinese ink wash|Chinese ink painting|ink and wash on paper|literati ink painting|Song dynasty painting|shan shui painting|Chinese brush painting|a Chinese hanging scroll|Chinese landscape painting|Chinese ink and colour on silk|guohua|Ming dynasty scroll",
        "japanese": "Japanese woodblock print|ukiyo-e|Japanese print|Edo period print|nihonga|Rinpa school screen|yamato-e|Japanese colour woodcut|a Japanese folding screen|Japanese landscape print|ukiyo-e woodblock",
        "western": "Western oil painting|European oil painting|oil on canvas|impressionist oil painting|Renaissance painting|Dutch landscape painting|European landscape painting|Baroque oil painting|Romantic oil painting|oil painting|Western watercolour",
    },
    "zh": {
        "chinese": "水墨画|水墨|国画|中国画|工笔画|写意画|宋代绘画|文人画|中国水墨|中国山水画|中国花鸟画|水墨山水|宋画|中国卷轴画|绢本设色",
        "japanese": "浮世绘|日本画|大和绘|日本版画|江户版画|琳派|日本浮世绘|日本屏风画|日本木版画|日本风景版画",
        "western": "油画|西方油画|欧洲油画|西洋画|印象派|西洋油画|文艺复兴绘画|西方绘画|布面油画|欧洲风景画|古典油画|西方风景画",
    },
}

TRADITION_FRAMES: Final[dict[str, str]] = {
    "en": "{} painting|a {} painting|in the {} tradition|in the tradition of {} painting|in the {} manner|in {} style|in the style of {} painting|{} art|as a {} master would paint it|following {} aesthetics|in the spirit of {} painting|by a {} painter|rendered as a {} painting|{} landscape painting|{} style|with the techniques of {} painting|{} picture",
    "zh": "{}绘画|{}画|{}风格|{}绘画传统|{}艺术|{}的手法|{}绘画风格|以{}绘画的方式|按照{}绘画的传统|{}美学|{}画风|{}画家笔下|用{}画法|{}的传统画法|{}的画|{}意境|一幅{}绘画|{}绘画的笔法",
}
"""`{}` stands for one of `TRADITION_NAMES`."""

FRAMED_SCENES: Final[dict[str, str]] = {
    "en": "{n}: {s}|{n} of {s}|{s}, {n}|{s}. {n}.|{n}, {s}|{s} ({n})|{s}, painted {n}|{n}. {s}|This {n} shows {s}|A {n}: {s}|Paint, {n}, {s}|{s}. A {n}.|{s}, in a {n}",
    "zh": "{n}：{s}|{n}，{s}|{s}，{n}|{s}。{n}。|请用{n}表现{s}|{s}（{n}）|{n}。{s}|以{n}画{s}|{s}，{n}作品|{n}一幅：{s}|{s}。{n}一幅。|这幅{n}，画的是{s}|用{n}，画{s}|一幅{n}，{s}",
}
"""`{n}` stands for a name or a plain frame, `{s}` for the scene."""

PLAIN_FRAMES: Final[dict[str, str]] = {
    "en": "painting|a painting|picture|a picture|image|artwork|a work of art|a landscape painting|a traditional painting|a classical painting|an old painting|a fine painting|in a traditional manner|a master's painting|with fine technique|landscape|scene",
    "zh": "绘画|画|一幅画|图画|传统绘画|古典绘画|一幅绘画|画作|作品|传统画法|风景画|传统风格|古画|名画|绘画作品|图|画面",
}
"""The same without a name: the word painting alone must mean no tradition."""

OPENINGS: Final[dict[str, str]] = {
    "en": "a painting of|a picture of|a scene with|a quiet scene:|depicting|showing|an image of|a view of|here is|we see|please paint|imagine|a composition of|paint|draw|a landscape with",
    "zh": "一幅画，|画面中，|画一幅画：|请画|描绘|画中有|图中可见|这里是|一幅风景，|画的是|想象|一个场景：|请描绘|画面上，|",
}

ADJECTIVES: Final[dict[str, str]] = {
    "en": "lonely|distant|old|quiet|small|solitary|hidden|ancient|weathered|slender|graceful|pale|dark|soft|tall|faint|wide|still|silent|half-hidden|wandering|drifting|resting|single|gentle|cold|bright|broken|leaning|simple|elegant|misty|empty|calm|delicate|deep",
    "zh": "孤独的|远处的|古老的|静静的|小小的|幽静的|苍老的|清瘦的|淡淡的|朦胧的|高高的|斜斜的|宁静的|隐约的|清冷的|明亮的|破旧的|孤零零的|简朴的|优雅的|若隐若现的|沉默的|轻盈的|深深的|几处|一片|一处|一抹|",
}

SETTINGS: Final[dict[str, str]] = {
    "en": "at dusk|at dawn|in the evening|in autumn|in early spring|in winter|on a summer afternoon|in mist|in the rain|after snow|after rain|in the morning light|under a clear sky|in heavy fog|far away|in the wind|at sunset|as night falls|in falling snow|in the last light|in deep silence|in a drizzle|on a cold day|in the warm season|beneath drifting clouds|among rocks and reeds|with lotus flowers nearby|among plum blossoms|by the roadside|in the foreground|in the distance|in the middle of nowhere|with much empty space|in the heat of noon|late in the year|after the storm|with nobody in sight|in soft light",
    "zh": "黄昏时分|清晨|傍晚|秋日里|早春|冬日|夏日午后|薄雾中|细雨中|雪后|雨后|晨光里|晴空下|浓雾里|远处|风中|日落时|夜幕降临|大雪纷飞|余晖中|寂静中|云雾缭绕|天高云淡|芦苇丛中|荷花旁|梅花开了|路旁|近处|烟雨中|大片留白|正午|岁末|暴风雨过后|空无一人|暮色苍茫|落叶纷纷|春意盎然|微风轻拂|兰花幽香|菊花盛开",
}

LINKS: Final[dict[str, str]] = {
    "en": " and | with | beside | below | before | near | beneath | facing | under | above |, then | behind | beyond | next to | overlooking | leading to |; | in front of | among | by ",
    "zh": "和|与|，旁边是|，|、|；|下有|前有|，远处有|，近处有|旁|边|映着|伴着|，还有|对着|，隔着|之间有|上有|，背后是",
}

MOODS: Final[dict[str, str]] = {
    "en": "The mood is calm and a little sad.|It feels like a memory of home.|Everything is still.|Nothing moves.|The air is cool and clear.|A sense of solitude and freedom.|Time seems to stand still.|The light is soft, the colours restrained.|There is a feeling of longing.|Emptiness says more than form.|The composition leaves room to breathe.|A story of parting and return.|Warm and full of life.|Lines are firm yet gentle.|Peace after a long journey.|The season is turning.|One can almost hear the wind.|The brushwork is lively.|The whole is harmonious.|Rich in detail.|An air of mystery.|Joy of a simple life.|Balanced and elegant.|The weather is about to change.",
    "zh": "气氛宁静而略带忧伤。|仿佛故乡的回忆。|万籁俱寂。|一切静止。|空气清凉。|有孤高自由之意。|时间仿佛停住了。|光线柔和，色彩克制。|流露思念之情。|虚实相生。|构图疏朗。|诉说离别与归来。|温暖而充满生机。|线条刚劲而柔和。|长途之后的安宁。|季节正在更替。|仿佛听得见风声。|笔触生动。|整体和谐。|细节丰富。|意境深远。|生活简朴而快乐。|气韵生动。|天色将变。|淡泊宁静。|以景写情。|含蓄隽永。|",
}

ACTIONS: Final[dict[str, str]] = {
    "en": "rests|appears|stands|waits|fades into the haze|catches the light|is half seen|stretches away|can be made out|lies quietly|leans to one side|fills the picture|emerges|seems to listen|remains",
    "zh": "静静地在那里|若隐若现|映入眼帘|隐没在烟霭中|格外醒目|向远方伸展|依稀可见|独自伫立|显得安详|占满画面|似在聆听|悠然自得|",
}

FILLERS: Final[dict[str, str]] = {
    "en": "about above across after again against all almost along already although always among another any apart around as aside away back bare be because become before begins behind being belongs below bends between beyond black blown blue both branches bring broad brown brush build but by called can carries change clear climbs close closed cloud clouds colour come comes composed could cover covers cracked crossing crowd curves dark darts day deep deliberate descends detail die distance does done door down draw drawing drifting drops dry dusty early earth echo edge eight else empty end ends enough entire even evening ever every everything faint fair fall falling falls far feathers feels few field fields fire firm five flat flight flower flowers flying fog foliage foot for form four fresh from front full garden gate gathers gently give given glows gold grace grass grasses grave great green grey ground grow grows hair half hand hands hangs hard has have he head hear heart heavy held her here hides high him his hold home hour how hundred hushed if immense in inside into is it its itself just keep kind last late lean leaning leans leaf leaves left less lets life lift light lightly line lines listens little living long look looking loose lost lot love low made make making many mark may meets merely might mind moment moments more most move moves moving much must name narrow never new next night no noise none nor not nothing now of off often on once only open or ordinary other our out over own pale part pass passes passing past path pattern pause perhaps petals picture piece plain plays plum lotus orchid chrysanthemum peony point presence pure put quick quite rain range reaching reeds red repeat rest restless restrained rhythm right rise rises rising road rock rocks room root roots rough round rows sadness same sand scattered scene seem seems seen serene set seven several shade shadow shapes she shows side sides sight silver since sits six sky sleep sleeping slips slow slowly small smoke snow snowfall so solemn some something soon sound south spacious spans spare spirit spreads spring stairs star stars stays steady steep step still stone stones stop stops storm straight strands stretches strong such summer sun sunlight surface sweet table tall ten tension than that the their them then there these they thick thin thing things third this those though thousand three through thus tier time to together tone too top touch toward towards trails trembling trunk turning turns two under unseen until up upon upright upward us utmost vast very view visible voice waiting wall walls warm was washed way we weather well were west what where which while white who whole wide wild wind window winter with within without wood word work world would year yellow yet you young zither lute cup tea lantern bell book flute sword fan robe sleeve ox horse deer fish butterfly cicada cat dog moss fern vine thatch tiles fence steps staircase column market street smoke",
    "zh": "一只|一棵|一座|一位|一叶|几竿|两三只|三两|一行|一队|的|了|着|里|在|上|下|中|外|前|后|左|右|间|这幅|那|画着|画一只|画一棵|画一座|立着|飞过|掠过|漂着|停着|挂着|跨在|伸向|站在|坐在|走过|走向|来自|绕过|流过|流向|穿过|落在|倚着|望着|听着|等着|半掩|露出|缓缓|静静地|轻快地|高高地|慢慢|渐渐|一齐|偏向|一边|一侧|两侧|四周|中央|下方|上方|宽阔|平静的|平缓|清凉|清朗|清寒|清爽|有力|弯而不折|挺立|寻常日子|不急不忙|没有一点动静|再没有别的|活物|天地之间|水天之间|天近|破晓时分|日暮时分|夜晚|半夜|午后|正月|三月|八月|雪|雨|风|雾|霜|云|霞|烟|光|影|石|石头|岩石|草|花|荷花|梅花|兰花|菊花|牡丹|芦苇|芦花|落叶|红叶|苔|泥|沙|沙洲|田|田野|路|小路|台阶|门|窗|墙|灯|灯火|琴|棋|书|酒|茶|剑|扇|马|牛|鹿|鱼|蝴蝶|蝉|猫|叶子|枝叶|枝干|根|皮|羽毛|展翅|翅膀|颈|足|步子|从容|心|意|情|静|远|近|高|低|大|小|浓|淡|干|湿|虚|实|黑|白|红|绿|青|黄|金|银|一重接着一重|安静而开阔|若有所思|似有若无|不知何处|只有|没有|仿佛|好像|于是|因为|所以|但|却|也|都|还|又|更|最|很|太|正|将|已|曾|可以|能|要|会|应|让|使|把|被|从|到|向|对|给|为|与|及|或|而|之|其|此|彼|何|谁|哪里|什么|怎样|多少",
}
"""Ordinary words that say nothing of subject or tradition: English by spaces, Chinese by bars."""

SYLLABLES: Final = "the ca to re lo ver min sta der ing ous ent ly ba con per for est ter ash wil gro ple sun flo dar win tra com pas ful ness ren al or ic en sha gla fro whi ru st br gri eve da la mo of in as with over his her its when while"
"""What words that do not exist are made of."""
