BEGIN TRANSACTION;
CREATE TABLE assignment (
	id VARCHAR(32) NOT NULL, 
	block INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	first VARCHAR(32) NOT NULL, 
	second VARCHAR(32), 
	last_phase VARCHAR(16) NOT NULL, 
	occasion INTEGER NOT NULL, 
	rubric_hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (block, position), 
	FOREIGN KEY(first) REFERENCES stimulus (id), 
	FOREIGN KEY(second) REFERENCES stimulus (id)
);
INSERT INTO "assignment" VALUES('109ef0683b2f46d13a21b08e',0,0,'single','8deb960356a83f5f',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('b90cdba8585526cd1b4a4126',0,1,'reference','62881a8893e75050',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('10c493c7d38e823deda545a9',0,2,'single','5379422b72000e3f',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('4afde17188d713c770acaf33',0,3,'single','b132536cae702d97',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('0184ec8098e7562beefa79fb',0,4,'single','c812352303926cad',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('b86d392145faa4d65c6af4db',0,5,'single','b2c1f05044fd8cbb',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('129fd415c83e38d58af597c0',0,6,'single','260c05714c3cb25b',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('f543eefa6f6662049f4f534b',0,7,'single','9fb565b908ef808a',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('d04e505ae8218958adc41f11',0,8,'reference','2c47242dc70faec4',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('9e440814a73eabb78b0d0fab',0,9,'single','45318124558942e0',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('8261a2d5884f74dc58bdd4f3',0,10,'single','f92af8a27101401c',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('131274c5319a743d91c97dc9',0,11,'single','5813e6027b1fd3bb',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('5d94caebabf4646a75a6c160',0,12,'single','8c5db8726702beb3',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('ce3321a669af5963566054ee',0,13,'reference','bbc62c4329ac7b76',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('2b300f1a31bd9a94c79bd4dc',0,14,'pair','260c05714c3cb25b','13903bd1f9860947','pair',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('5a1163f68984583d7cb6d0fc',0,15,'pair','9fb565b908ef808a','3aced00119aec873','pair',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('b14c4835a737ac7980302b7d',1,0,'single','8c5db8726702beb3',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('4ec9da2d7343cf4e0b3468b3',1,1,'single','e625892e1df144b9',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('d557e1b1ec22b1159a2ab9cf',1,2,'single','f92af8a27101401c',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('707f434e59b876fb7993848d',1,3,'single','c812352303926cad',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('4eea616db8c5efd1f711208b',1,4,'single','342216b72df4800e',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('3865dcb933e7ee8c7d45f77b',1,5,'single','203292846bc3811d',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('ebfba973b4ba14b6a8c900a6',1,6,'single','b132536cae702d97',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('2348f5f79bcf418b0388e43d',1,7,'single','3aced00119aec873',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('fe4d07cc0862d491755215b2',1,8,'single','13903bd1f9860947',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('c1e11955e8c8438455fd1269',1,9,'single','5f52a47af04abe81',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('e2358ca92f055f03a7908b54',1,10,'single','8deb960356a83f5f',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('39be58913592a69a66f267d5',1,11,'single','45318124558942e0',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('2110302f7f8970ee8171b19b',1,12,'single','f1d3ee616a8b0b2b',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('9c2d1e6322c4dea343aff7ee',1,13,'reference','bbc62c4329ac7b76',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('fccb781665e0ed6877f4bf5a',1,14,'pair','c812352303926cad','e625892e1df144b9','pair',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('55ab96fdc4b90114dc9b2824',1,15,'pair','13903bd1f9860947','260c05714c3cb25b','pair',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('718f97dfd3877c976d94687c',2,0,'single','5f52a47af04abe81',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('018d3fcae163d59c2fd6c58b',2,1,'single','9fb565b908ef808a',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('744d1e0c760920ac1a5f80d2',2,2,'single','5379422b72000e3f',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('0cac1d27a4d3bf669565e497',2,3,'reference','62881a8893e75050',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('3456338ba63976efa6562ea7',2,4,'single','f1d3ee616a8b0b2b',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('fdaa3eb31424242fb8c86e56',2,5,'single','b2c1f05044fd8cbb',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('2f07f21170732bab5e6969a7',2,6,'single','203292846bc3811d',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('e7c751ff135785deba97fd4b',2,7,'single','342216b72df4800e',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('e7db19c4fcb37d22246a6603',2,8,'reference','2c47242dc70faec4',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('7f73d746db5c467e084ae395',2,9,'single','13903bd1f9860947',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('573459d9eec2edc5bf712a72',2,10,'single','e625892e1df144b9',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('80035e72847614d1d93cde24',2,11,'single','5813e6027b1fd3bb',NULL,'attribution',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('bad9cd1dfc8dd924d3c14301',2,12,'single','3aced00119aec873',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('2e16e373f058b13a5cd3a6ec',2,13,'single','260c05714c3cb25b',NULL,'scales',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('4c480acc53ac2619170e5451',2,14,'pair','e625892e1df144b9','c812352303926cad','pair',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
INSERT INTO "assignment" VALUES('707f22ba9ab0cf155d6c952b',2,15,'pair','3aced00119aec873','9fb565b908ef808a','pair',0,'140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea');
CREATE TABLE audit (
	number INTEGER NOT NULL, 
	at VARCHAR(40) NOT NULL, 
	action VARCHAR(40) NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "audit" VALUES(1,'2026-11-20T21:32:11.558+00:00','created','bc974a45df1f6c32570c92f2e5057ab6a7529317a1ebdaa34036d2da6a715616');
INSERT INTO "audit" VALUES(2,'2026-11-20T21:32:11.598+00:00','invited','1 simulated');
INSERT INTO "audit" VALUES(3,'2026-11-20T21:32:11.600+00:00','frozen','bc974a45df1f6c32570c92f2e5057ab6a7529317a1ebdaa34036d2da6a715616');
INSERT INTO "audit" VALUES(4,'2026-11-20T21:32:11.741+00:00','invited','1 simulated');
CREATE TABLE display (
	assignment VARCHAR(32) NOT NULL, 
	phase VARCHAR(16) NOT NULL, 
	shown_at VARCHAR(40) NOT NULL, 
	PRIMARY KEY (assignment, phase), 
	FOREIGN KEY(assignment) REFERENCES assignment (id)
);
INSERT INTO "display" VALUES('109ef0683b2f46d13a21b08e','attribution','2026-11-20T21:32:11.613+00:00');
INSERT INTO "display" VALUES('b90cdba8585526cd1b4a4126','attribution','2026-11-20T21:32:11.623+00:00');
INSERT INTO "display" VALUES('b90cdba8585526cd1b4a4126','scales','2026-11-20T21:32:11.630+00:00');
INSERT INTO "display" VALUES('10c493c7d38e823deda545a9','attribution','2026-11-20T21:32:11.636+00:00');
INSERT INTO "display" VALUES('4afde17188d713c770acaf33','attribution','2026-11-20T21:32:11.639+00:00');
INSERT INTO "display" VALUES('0184ec8098e7562beefa79fb','attribution','2026-11-20T21:32:11.648+00:00');
INSERT INTO "display" VALUES('0184ec8098e7562beefa79fb','scales','2026-11-20T21:32:11.650+00:00');
INSERT INTO "display" VALUES('b86d392145faa4d65c6af4db','attribution','2026-11-20T21:32:11.660+00:00');
INSERT INTO "display" VALUES('129fd415c83e38d58af597c0','attribution','2026-11-20T21:32:11.664+00:00');
INSERT INTO "display" VALUES('129fd415c83e38d58af597c0','scales','2026-11-20T21:32:11.671+00:00');
INSERT INTO "display" VALUES('f543eefa6f6662049f4f534b','attribution','2026-11-20T21:32:11.673+00:00');
INSERT INTO "display" VALUES('f543eefa6f6662049f4f534b','scales','2026-11-20T21:32:11.675+00:00');
INSERT INTO "display" VALUES('d04e505ae8218958adc41f11','attribution','2026-11-20T21:32:11.685+00:00');
INSERT INTO "display" VALUES('9e440814a73eabb78b0d0fab','attribution','2026-11-20T21:32:11.692+00:00');
INSERT INTO "display" VALUES('8261a2d5884f74dc58bdd4f3','attribution','2026-11-20T21:32:11.695+00:00');
INSERT INTO "display" VALUES('131274c5319a743d91c97dc9','attribution','2026-11-20T21:32:11.699+00:00');
INSERT INTO "display" VALUES('5d94caebabf4646a75a6c160','attribution','2026-11-20T21:32:11.707+00:00');
INSERT INTO "display" VALUES('ce3321a669af5963566054ee','attribution','2026-11-20T21:32:11.714+00:00');
INSERT INTO "display" VALUES('2b300f1a31bd9a94c79bd4dc','pair','2026-11-20T21:32:11.720+00:00');
INSERT INTO "display" VALUES('5a1163f68984583d7cb6d0fc','pair','2026-11-20T21:32:11.723+00:00');
INSERT INTO "display" VALUES('b14c4835a737ac7980302b7d','attribution','2026-11-20T21:32:11.743+00:00');
INSERT INTO "display" VALUES('4ec9da2d7343cf4e0b3468b3','attribution','2026-11-20T21:32:11.748+00:00');
INSERT INTO "display" VALUES('4ec9da2d7343cf4e0b3468b3','scales','2026-11-20T21:32:11.751+00:00');
INSERT INTO "display" VALUES('d557e1b1ec22b1159a2ab9cf','attribution','2026-11-20T21:32:11.757+00:00');
INSERT INTO "display" VALUES('707f434e59b876fb7993848d','attribution','2026-11-20T21:32:11.759+00:00');
INSERT INTO "display" VALUES('707f434e59b876fb7993848d','scales','2026-11-20T21:32:11.765+00:00');
INSERT INTO "display" VALUES('4eea616db8c5efd1f711208b','attribution','2026-11-20T21:32:11.767+00:00');
INSERT INTO "display" VALUES('3865dcb933e7ee8c7d45f77b','attribution','2026-11-20T21:32:11.778+00:00');
INSERT INTO "display" VALUES('ebfba973b4ba14b6a8c900a6','attribution','2026-11-20T21:32:11.781+00:00');
INSERT INTO "display" VALUES('2348f5f79bcf418b0388e43d','attribution','2026-11-20T21:32:11.783+00:00');
INSERT INTO "display" VALUES('2348f5f79bcf418b0388e43d','scales','2026-11-20T21:32:11.789+00:00');
INSERT INTO "display" VALUES('fe4d07cc0862d491755215b2','attribution','2026-11-20T21:32:11.791+00:00');
INSERT INTO "display" VALUES('fe4d07cc0862d491755215b2','scales','2026-11-20T21:32:11.797+00:00');
INSERT INTO "display" VALUES('c1e11955e8c8438455fd1269','attribution','2026-11-20T21:32:11.803+00:00');
INSERT INTO "display" VALUES('e2358ca92f055f03a7908b54','attribution','2026-11-20T21:32:11.810+00:00');
INSERT INTO "display" VALUES('39be58913592a69a66f267d5','attribution','2026-11-20T21:32:11.811+00:00');
INSERT INTO "display" VALUES('2110302f7f8970ee8171b19b','attribution','2026-11-20T21:32:11.818+00:00');
INSERT INTO "display" VALUES('9c2d1e6322c4dea343aff7ee','attribution','2026-11-20T21:32:11.824+00:00');
INSERT INTO "display" VALUES('fccb781665e0ed6877f4bf5a','pair','2026-11-20T21:32:11.826+00:00');
INSERT INTO "display" VALUES('55ab96fdc4b90114dc9b2824','pair','2026-11-20T21:32:11.833+00:00');
CREATE TABLE meta (
	"key" VARCHAR(40) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema','1');
INSERT INTO "meta" VALUES('study','tiny-study');
INSERT INTO "meta" VALUES('created_at','2026-11-20T21:32:11.556+00:00');
INSERT INTO "meta" VALUES('protocol_hash','bc974a45df1f6c32570c92f2e5057ab6a7529317a1ebdaa34036d2da6a715616');
CREATE TABLE rater (
	id VARCHAR(16) NOT NULL, 
	block INTEGER NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	rater_group VARCHAR(80) NOT NULL, 
	simulated BOOLEAN NOT NULL, 
	room_language VARCHAR(8) NOT NULL, 
	created_at VARCHAR(40) NOT NULL, 
	started_at VARCHAR(40), 
	finished_at VARCHAR(40), 
	withdrawn_at VARCHAR(40), 
	PRIMARY KEY (id), 
	UNIQUE (block), 
	UNIQUE (token_hash)
);
INSERT INTO "rater" VALUES('r001',0,'0799475280469ee3660bfc304e610a8d727c8e758724fa6c5d10da260135d8e5','simulated',1,'zh','2026-11-20T21:32:11.598+00:00','2026-11-20T21:32:11.604+00:00','2026-11-20T21:32:11.730+00:00',NULL);
INSERT INTO "rater" VALUES('r002',1,'814ac313c94033f7388b09e6f229d83c6c89f86a92cd17a5e6ed40cd2d31198f','simulated',1,'zh','2026-11-20T21:32:11.741+00:00','2026-11-20T21:32:11.742+00:00','2026-11-20T21:32:11.834+00:00',NULL);
CREATE TABLE response_event (
	number INTEGER NOT NULL, 
	assignment VARCHAR(32) NOT NULL, 
	event_id VARCHAR(36) NOT NULL, 
	rater VARCHAR(16) NOT NULL, 
	phase VARCHAR(16) NOT NULL, 
	payload JSON, 
	payload_hash VARCHAR(64) NOT NULL, 
	room_language VARCHAR(8) NOT NULL, 
	rubric_hash VARCHAR(64) NOT NULL, 
	received_at VARCHAR(40) NOT NULL, 
	client_time VARCHAR(40) NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (assignment, event_id), 
	FOREIGN KEY(assignment) REFERENCES assignment (id), 
	FOREIGN KEY(rater) REFERENCES rater (id)
);
INSERT INTO "response_event" VALUES(1,'109ef0683b2f46d13a21b08e','6878b300-0e7f-4b16-ba4b-f9dc2e79a805','r001','attribution','{"manner": "chinese", "things": "chinese"}','5eeb983da0774b42337cdef9758a2a07839cf77e68ac59758ac50b3bd0edaa88','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.621+00:00','2026-11-20T21:32:11.615+00:00');
INSERT INTO "response_event" VALUES(2,'b90cdba8585526cd1b4a4126','d9339d8a-68ca-4e01-a007-d11fa8eb1e02','r001','attribution','{"manner": "chinese", "things": "cannot_tell"}','113592f846b377d5b9acea4823f4116370ed2c7ae85222b46501db42fe7383d9','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.629+00:00','2026-11-20T21:32:11.628+00:00');
INSERT INTO "response_event" VALUES(3,'b90cdba8585526cd1b4a4126','a90aaeab-651a-49c3-b3b1-38621af5fe75','r001','scales','{"ink": 5, "form": 5}','8da2a7eb7fb0809a028e0f120fd7777ba371dfb98337ddb10d489f4f5c21d219','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.631+00:00','2026-11-20T21:32:11.630+00:00');
INSERT INTO "response_event" VALUES(4,'10c493c7d38e823deda545a9','7d2649ff-af69-49b4-bc5a-9063ba3b0ae0','r001','attribution','{"manner": "japanese", "things": "western"}','1774d75b155a73434dec5f1247b7a301914044ea2f3d36a113cba2d166e1ff51','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.638+00:00','2026-11-20T21:32:11.638+00:00');
INSERT INTO "response_event" VALUES(5,'4afde17188d713c770acaf33','3eaf9522-43b3-44b8-8679-b5e392a6ac12','r001','attribution','{"manner": "japanese", "things": "japanese"}','eed0b0f7e619edfe7f3377289f33a2f28f643158edd1a1960b9a87e116783cdd','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.645+00:00','2026-11-20T21:32:11.645+00:00');
INSERT INTO "response_event" VALUES(6,'0184ec8098e7562beefa79fb','d2791def-4294-4181-9e59-8156bc92bac2','r001','attribution','{"manner": "japanese", "things": "japanese"}','eed0b0f7e619edfe7f3377289f33a2f28f643158edd1a1960b9a87e116783cdd','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.649+00:00','2026-11-20T21:32:11.649+00:00');
INSERT INTO "response_event" VALUES(7,'0184ec8098e7562beefa79fb','8f244164-bc02-44b6-9531-899fef8a6d0c','r001','scales','{"ink": 3, "form": 4}','5abce98f63c64b1b5475a2c02c932135af0fabcadeead8680c86f3274231e14b','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.651+00:00','2026-11-20T21:32:11.651+00:00');
INSERT INTO "response_event" VALUES(8,'b86d392145faa4d65c6af4db','91078215-6cfc-4c14-9250-fe0eaee9d7ab','r001','attribution','{"manner": "chinese", "things": "western"}','e671072f018a278af85388a3afc7ddac4d71f1faa369adbf03846dba8c6fb448','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.663+00:00','2026-11-20T21:32:11.662+00:00');
INSERT INTO "response_event" VALUES(9,'129fd415c83e38d58af597c0','86c40b56-6c55-41b4-a85e-0b3b88bd5ac4','r001','attribution','{"manner": "cannot_tell", "things": "other"}','1d35b19e5e0f1a4f5a2924c99541687ee0656b9d6660775f9b16578c0e941843','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.670+00:00','2026-11-20T21:32:11.669+00:00');
INSERT INTO "response_event" VALUES(10,'129fd415c83e38d58af597c0','9a44510d-e072-4ff2-b297-3b171b3b889f','r001','scales','{"ink": 3, "form": 3}','dd53b315344bbbde1f3b4af0b51fa0d490f19582bc4b4847055c13c821ca6d2f','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.672+00:00','2026-11-20T21:32:11.671+00:00');
INSERT INTO "response_event" VALUES(11,'f543eefa6f6662049f4f534b','caa99094-14d6-400c-a8dc-775dec81f2a2','r001','attribution','{"manner": "chinese", "things": "western"}','e671072f018a278af85388a3afc7ddac4d71f1faa369adbf03846dba8c6fb448','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.674+00:00','2026-11-20T21:32:11.674+00:00');
INSERT INTO "response_event" VALUES(12,'f543eefa6f6662049f4f534b','17bd011b-b444-4a68-a58e-bc7030e76579','r001','scales','{"ink": 5, "form": 5}','8da2a7eb7fb0809a028e0f120fd7777ba371dfb98337ddb10d489f4f5c21d219','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.684+00:00','2026-11-20T21:32:11.675+00:00');
INSERT INTO "response_event" VALUES(13,'d04e505ae8218958adc41f11','e70a60f4-43d3-4f9a-81f9-edf268542e04','r001','attribution','{"manner": "chinese", "things": "other"}','b407ac8aeb4f33488d0048c6d9a05316f846e2ef1bcc074a505b47b6ab918006','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.687+00:00','2026-11-20T21:32:11.686+00:00');
INSERT INTO "response_event" VALUES(14,'9e440814a73eabb78b0d0fab','ac84c575-4dbf-4413-80e2-266a55092848','r001','attribution','{"manner": "chinese", "things": "western"}','e671072f018a278af85388a3afc7ddac4d71f1faa369adbf03846dba8c6fb448','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.694+00:00','2026-11-20T21:32:11.693+00:00');
INSERT INTO "response_event" VALUES(15,'8261a2d5884f74dc58bdd4f3','881d07bc-835c-4221-96bc-a0baa51b67f8','r001','attribution','{"manner": "western", "things": "cannot_tell"}','a814d0c1182d7e8f20b3ec6e9085768ac91bd3280791a50ff279f5f3687763a7','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.698+00:00','2026-11-20T21:32:11.697+00:00');
INSERT INTO "response_event" VALUES(16,'131274c5319a743d91c97dc9','92a76bed-43d7-4ed3-b0b9-0bf55f183e5c','r001','attribution','{"manner": "chinese", "things": "other"}','b407ac8aeb4f33488d0048c6d9a05316f846e2ef1bcc074a505b47b6ab918006','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.706+00:00','2026-11-20T21:32:11.699+00:00');
INSERT INTO "response_event" VALUES(17,'5d94caebabf4646a75a6c160','f7651526-8e33-4c53-aaca-7c3b501687e4','r001','attribution','{"manner": "other", "things": "japanese"}','cf6eee454267ae2a768eba4b30fab4bdbe39971980e90a5ce0f7194e774e6c17','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.712+00:00','2026-11-20T21:32:11.708+00:00');
INSERT INTO "response_event" VALUES(18,'ce3321a669af5963566054ee','ac0b48cd-f511-4526-9c26-57eed1c528b1','r001','attribution','{"manner": "japanese", "things": "western"}','1774d75b155a73434dec5f1247b7a301914044ea2f3d36a113cba2d166e1ff51','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.715+00:00','2026-11-20T21:32:11.715+00:00');
INSERT INTO "response_event" VALUES(19,'2b300f1a31bd9a94c79bd4dc','f3e85e0a-989e-4d80-9bf3-42071b0d6aed','r001','pair','{"winner": "right"}','d41c832e7e738304bce28e9f5fd7539c49af67707c76b7d3ed43db9b8f60e225','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.723+00:00','2026-11-20T21:32:11.722+00:00');
INSERT INTO "response_event" VALUES(20,'5a1163f68984583d7cb6d0fc','7ac91eb8-bb22-4b26-9b27-44838a8211e6','r001','pair','{"winner": "right"}','d41c832e7e738304bce28e9f5fd7539c49af67707c76b7d3ed43db9b8f60e225','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.729+00:00','2026-11-20T21:32:11.729+00:00');
INSERT INTO "response_event" VALUES(21,'b14c4835a737ac7980302b7d','5f43c0db-09e0-488d-8d55-a0c3953449cf','r002','attribution','{"manner": "cannot_tell", "things": "japanese"}','bea666c88da1f141a175e309373b7d171300ae989064306e9e5b77168fc6bf09','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.747+00:00','2026-11-20T21:32:11.743+00:00');
INSERT INTO "response_event" VALUES(22,'4ec9da2d7343cf4e0b3468b3','489953d3-3eba-42a0-826c-d5b5c51c86f5','r002','attribution','{"manner": "chinese", "things": "western"}','e671072f018a278af85388a3afc7ddac4d71f1faa369adbf03846dba8c6fb448','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.750+00:00','2026-11-20T21:32:11.750+00:00');
INSERT INTO "response_event" VALUES(23,'4ec9da2d7343cf4e0b3468b3','fb81413b-9e6a-4b98-84c0-9406d59c29d9','r002','scales','{"ink": 5, "form": 5}','8da2a7eb7fb0809a028e0f120fd7777ba371dfb98337ddb10d489f4f5c21d219','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.756+00:00','2026-11-20T21:32:11.751+00:00');
INSERT INTO "response_event" VALUES(24,'d557e1b1ec22b1159a2ab9cf','0bb6e697-f7e0-4cd2-82bd-33cab79b566a','r002','attribution','{"manner": "chinese", "things": "chinese"}','5eeb983da0774b42337cdef9758a2a07839cf77e68ac59758ac50b3bd0edaa88','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.758+00:00','2026-11-20T21:32:11.758+00:00');
INSERT INTO "response_event" VALUES(25,'707f434e59b876fb7993848d','5ef33d42-b6bf-41a7-8680-30867af91a46','r002','attribution','{"manner": "chinese", "things": "chinese"}','5eeb983da0774b42337cdef9758a2a07839cf77e68ac59758ac50b3bd0edaa88','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.764+00:00','2026-11-20T21:32:11.759+00:00');
INSERT INTO "response_event" VALUES(26,'707f434e59b876fb7993848d','1d9d19c9-ea15-4720-8cb7-7509411c62dd','r002','scales','{"ink": 3, "form": 3}','dd53b315344bbbde1f3b4af0b51fa0d490f19582bc4b4847055c13c821ca6d2f','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.766+00:00','2026-11-20T21:32:11.765+00:00');
INSERT INTO "response_event" VALUES(27,'4eea616db8c5efd1f711208b','ed1b6c50-703e-457d-9038-d57d4a6ff9f9','r002','attribution','{"manner": "cannot_tell", "things": "japanese"}','bea666c88da1f141a175e309373b7d171300ae989064306e9e5b77168fc6bf09','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.777+00:00','2026-11-20T21:32:11.776+00:00');
INSERT INTO "response_event" VALUES(28,'3865dcb933e7ee8c7d45f77b','325b7ba3-cc58-4de1-b512-162a5ba9bd82','r002','attribution','{"manner": "chinese", "things": "western"}','e671072f018a278af85388a3afc7ddac4d71f1faa369adbf03846dba8c6fb448','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.780+00:00','2026-11-20T21:32:11.779+00:00');
INSERT INTO "response_event" VALUES(29,'ebfba973b4ba14b6a8c900a6','4a26a345-481c-4ee1-aab6-5e457036f5cf','r002','attribution','{"manner": "other", "things": "chinese"}','3f9a17841c8014d9e3ae23467e32c1745b282b1ab3fbd07b66a7f4c3c85b77f0','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.782+00:00','2026-11-20T21:32:11.781+00:00');
INSERT INTO "response_event" VALUES(30,'2348f5f79bcf418b0388e43d','4962dda0-75ed-46dc-bbc3-17ff3e02453f','r002','attribution','{"manner": "other", "things": "western"}','af8cea286feeef653f768b035400f6b9018b8962445c8d44e0dced746e2cbf0b','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.783+00:00','2026-11-20T21:32:11.783+00:00');
INSERT INTO "response_event" VALUES(31,'2348f5f79bcf418b0388e43d','749d2b0c-8c3d-41b6-a8f2-24d211fbc32a','r002','scales','{"ink": 3, "form": 3}','dd53b315344bbbde1f3b4af0b51fa0d490f19582bc4b4847055c13c821ca6d2f','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.790+00:00','2026-11-20T21:32:11.789+00:00');
INSERT INTO "response_event" VALUES(32,'fe4d07cc0862d491755215b2','e716f1be-217d-4231-9652-3bc8e264a986','r002','attribution','{"manner": "japanese", "things": "chinese"}','9029843d97ab948d7c3ecf19e3bfbeeb1e4f7778a66a798d172487d739813720','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.796+00:00','2026-11-20T21:32:11.791+00:00');
INSERT INTO "response_event" VALUES(33,'fe4d07cc0862d491755215b2','7f7d7e86-a998-40fb-b26c-2c0969fb4692','r002','scales','{"ink": 5, "form": 3}','3bc4312a359d051b3b4c7eddb922c21eb13b5b85b0ed09163914aa02d6a7e3d9','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.801+00:00','2026-11-20T21:32:11.801+00:00');
INSERT INTO "response_event" VALUES(34,'c1e11955e8c8438455fd1269','a38b7187-e0b8-4197-ba8f-3ff7dca7d651','r002','attribution','{"manner": "cannot_tell", "things": "other"}','1d35b19e5e0f1a4f5a2924c99541687ee0656b9d6660775f9b16578c0e941843','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.809+00:00','2026-11-20T21:32:11.804+00:00');
INSERT INTO "response_event" VALUES(35,'e2358ca92f055f03a7908b54','b9d5a3eb-be58-4c9a-b9ac-66e21d5c61f6','r002','attribution','{"manner": "chinese", "things": "chinese"}','5eeb983da0774b42337cdef9758a2a07839cf77e68ac59758ac50b3bd0edaa88','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.811+00:00','2026-11-20T21:32:11.810+00:00');
INSERT INTO "response_event" VALUES(36,'39be58913592a69a66f267d5','4617ba50-4ebb-4e2d-84f6-1bae61575863','r002','attribution','{"manner": "cannot_tell", "things": "japanese"}','bea666c88da1f141a175e309373b7d171300ae989064306e9e5b77168fc6bf09','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.817+00:00','2026-11-20T21:32:11.816+00:00');
INSERT INTO "response_event" VALUES(37,'2110302f7f8970ee8171b19b','22387851-eeba-4465-9c0a-bbfadc2d9fdf','r002','attribution','{"manner": "cannot_tell", "things": "chinese"}','ddf98ca27dffef8ed0c4b206be013ac5e26c0c78fe7578287b819f394dd6edae','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.819+00:00','2026-11-20T21:32:11.819+00:00');
INSERT INTO "response_event" VALUES(38,'9c2d1e6322c4dea343aff7ee','046bec46-cd7b-4d20-aedb-0398c004d512','r002','attribution','{"manner": "other", "things": "other"}','ed192b7b669bdf90c155ead25f371e9e0978c331692abebf384379be13f586a6','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.826+00:00','2026-11-20T21:32:11.825+00:00');
INSERT INTO "response_event" VALUES(39,'fccb781665e0ed6877f4bf5a','3cbd33ac-0069-42a2-852b-43fc90521f7f','r002','pair','{"winner": "tie"}','a7d48910b3e82868774e36b27f8bab65f683ce49323ef3bc4eb9412871bc7faa','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.827+00:00','2026-11-20T21:32:11.827+00:00');
INSERT INTO "response_event" VALUES(40,'55ab96fdc4b90114dc9b2824','2aa9675b-6896-4951-bb28-b81c0439fcb5','r002','pair','{"winner": "left"}','32daabffee449315c6d49bbeb534a61da9b6ca785d6decea393c34be37caf0a8','en','140cdbfdd99fb4b4b7b410a56fc7b498d69a841812d6a3d138c94529219eeaea','2026-11-20T21:32:11.834+00:00','2026-11-20T21:32:11.833+00:00');
CREATE TABLE session (
	secret_hash VARCHAR(64) NOT NULL, 
	rater VARCHAR(16) NOT NULL, 
	created_at VARCHAR(40) NOT NULL, 
	PRIMARY KEY (secret_hash), 
	FOREIGN KEY(rater) REFERENCES rater (id)
);
CREATE TABLE stimulus (
	id VARCHAR(32) NOT NULL, 
	file VARCHAR(80) NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	captions JSON NOT NULL, 
	scales JSON NOT NULL, 
	scene VARCHAR(16) NOT NULL, 
	maker VARCHAR(16) NOT NULL, 
	asked VARCHAR(16) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "stimulus" VALUES('13903bd1f9860947','stimuli/13903bd1f9860947.webp',48,48,'f69b0cac79cb5931ee648bd0af1df405af86e01bd91c971030b5ba8e2d52b8b4','{"zh": "\u4e00\u5e45\u753b\uff1a\u5c0f\u6865\u6d41\u6c34", "en": "a picture of a bridge"}','["ink", "form"]','0','1','2');
INSERT INTO "stimulus" VALUES('203292846bc3811d','stimuli/203292846bc3811d.webp',48,48,'e1ca6928b9598f49661a31d3ad37b3175118e29e576e0813b3f50efa30895438','{"zh": "\u4e00\u5e45\u753b\uff1a\u82c7\u4e2d\u767d\u9e6d", "en": "a picture of a heron"}','[]','5','1','3');
INSERT INTO "stimulus" VALUES('260c05714c3cb25b','stimuli/260c05714c3cb25b.webp',48,48,'6a2c85abe8fdd76ddd9a5b4580f244bd4f0d07ea890683be1c2fc0cfb35f5283','{"zh": "\u4e00\u5e45\u753b\uff1a\u5c0f\u6865\u6d41\u6c34", "en": "a picture of a bridge"}','["ink", "form"]','0','0','2');
INSERT INTO "stimulus" VALUES('2c47242dc70faec4','stimuli/2c47242dc70faec4.webp',48,32,'ccfe26fcc896d0749abc4defbf35146a9e2dd7b5ff500c78da7f5b519d2b15ce','{"zh": "\u4e00\u5e45\u5c71\u6c34", "en": "a landscape"}','[]','3','2','3');
INSERT INTO "stimulus" VALUES('342216b72df4800e','stimuli/342216b72df4800e.webp',48,48,'484838c1d596fc7f640d9b867b9b2c71361064cbfe86621cd09e8506132d85ed','{"zh": "\u4e00\u5e45\u753b\uff1a\u5b64\u677e", "en": "a picture of a pine"}','[]','2','0','1');
INSERT INTO "stimulus" VALUES('3aced00119aec873','stimuli/3aced00119aec873.webp',48,48,'2e6a64ce987770a793186b9aafafa52fefdb509cec1b4072119ffc6bf2d9fcbf','{"zh": "\u4e00\u5e45\u753b\uff1a\u5b64\u677e", "en": "a picture of a pine"}','["ink", "form"]','2','0','2');
INSERT INTO "stimulus" VALUES('45318124558942e0','stimuli/45318124558942e0.webp',48,48,'497b95edf4712cb0a1a6964f9634ad42e8c629668e98218fab993be0e8ca7593','{"zh": "\u4e00\u5e45\u753b\uff1a\u82c7\u4e2d\u767d\u9e6d", "en": "a picture of a heron"}','[]','5','1','1');
INSERT INTO "stimulus" VALUES('5379422b72000e3f','stimuli/5379422b72000e3f.webp',48,48,'40dd3d263c774b53a31768d7679ad44437138a2cfa1a46dfc9176b798073dfdb','{"zh": "\u4e00\u5e45\u753b\uff1a\u82c7\u4e2d\u767d\u9e6d", "en": "a picture of a heron"}','[]','5','0','1');
INSERT INTO "stimulus" VALUES('5813e6027b1fd3bb','stimuli/5813e6027b1fd3bb.webp',48,48,'019ebd816065935fb8d8564b1fd4417dffdf1bae6be96855c93d539eab9e5758','{"zh": "\u4e00\u5e45\u753b\uff1a\u5c0f\u6865\u6d41\u6c34", "en": "a picture of a bridge"}','[]','0','0','3');
INSERT INTO "stimulus" VALUES('5f52a47af04abe81','stimuli/5f52a47af04abe81.webp',48,48,'2934f6ed8aeb64be2b440263f5907c18142e204f6b8dd28c5e213be5ed0d8b3e','{"zh": "\u4e00\u5e45\u753b\uff1a\u82c7\u4e2d\u767d\u9e6d", "en": "a picture of a heron"}','[]','5','0','3');
INSERT INTO "stimulus" VALUES('62881a8893e75050','stimuli/62881a8893e75050.webp',48,32,'4104a34aaac542b91261ef0f1df74f0866938af870f517de338363ea54072037','{"zh": "\u4e00\u5e45\u5c71\u6c34", "en": "a landscape"}','["ink", "form"]','4','2','2');
INSERT INTO "stimulus" VALUES('8c5db8726702beb3','stimuli/8c5db8726702beb3.webp',48,48,'adc10bde6ed815ed09dfe456ff0930c224d91950b659d1d3699306b07699224a','{"zh": "\u4e00\u5e45\u753b\uff1a\u5b64\u677e", "en": "a picture of a pine"}','[]','2','0','3');
INSERT INTO "stimulus" VALUES('8deb960356a83f5f','stimuli/8deb960356a83f5f.webp',48,48,'046ab4b3b79bb585997ed665f1603a341c819eb6d5ee353b452617c8c638722d','{"zh": "\u4e00\u5e45\u753b\uff1a\u5c0f\u6865\u6d41\u6c34", "en": "a picture of a bridge"}','[]','0','1','1');
INSERT INTO "stimulus" VALUES('9fb565b908ef808a','stimuli/9fb565b908ef808a.webp',48,48,'5e878fc6719d1926654e4bb84279719a640708423c461427a9b91781d59ceb06','{"zh": "\u4e00\u5e45\u753b\uff1a\u5b64\u677e", "en": "a picture of a pine"}','["ink", "form"]','2','1','2');
INSERT INTO "stimulus" VALUES('b132536cae702d97','stimuli/b132536cae702d97.webp',48,48,'1caaa6fc4004331521d6d0adfd1d691f31633d86978f29eff34c7bc51086b402','{"zh": "\u4e00\u5e45\u753b\uff1a\u5c0f\u6865\u6d41\u6c34", "en": "a picture of a bridge"}','[]','0','0','1');
INSERT INTO "stimulus" VALUES('b2c1f05044fd8cbb','stimuli/b2c1f05044fd8cbb.webp',48,48,'4c94943e7681f4fae9c8b6fca946e912ac393cffa1493aa60a3339d3909bc4de','{"zh": "\u4e00\u5e45\u753b\uff1a\u5b64\u677e", "en": "a picture of a pine"}','[]','2','1','1');
INSERT INTO "stimulus" VALUES('bbc62c4329ac7b76','stimuli/bbc62c4329ac7b76.webp',48,32,'32135c5d19516035732d76dbf99a2bf834d270bbbf4875895849f0932abe8811','{"zh": "\u4e00\u5e45\u5c71\u6c34", "en": "a landscape"}','[]','1','2','0');
INSERT INTO "stimulus" VALUES('c812352303926cad','stimuli/c812352303926cad.webp',48,48,'78af940c776c5b642070a90749259fdc73043a19b51f587b69fd91adadc07c3b','{"zh": "\u4e00\u5e45\u753b\uff1a\u82c7\u4e2d\u767d\u9e6d", "en": "a picture of a heron"}','["ink", "form"]','5','0','2');
INSERT INTO "stimulus" VALUES('e625892e1df144b9','stimuli/e625892e1df144b9.webp',48,48,'bb6c68dd1a14e6a472a03b3e5a614ed9c05d08f01aff02d12613771ec40fdf74','{"zh": "\u4e00\u5e45\u753b\uff1a\u82c7\u4e2d\u767d\u9e6d", "en": "a picture of a heron"}','["ink", "form"]','5','1','2');
INSERT INTO "stimulus" VALUES('f1d3ee616a8b0b2b','stimuli/f1d3ee616a8b0b2b.webp',48,48,'ff2ce6ba96d1f01f516a902b815a26f4240aa404a4c964e5f1d6e77c92fb39e8','{"zh": "\u4e00\u5e45\u753b\uff1a\u5c0f\u6865\u6d41\u6c34", "en": "a picture of a bridge"}','[]','0','1','3');
INSERT INTO "stimulus" VALUES('f92af8a27101401c','stimuli/f92af8a27101401c.webp',48,48,'674835b46fb6e2b0d34da53c153f9bf93052a15c8242694d180fc62f54844d93','{"zh": "\u4e00\u5e45\u753b\uff1a\u5b64\u677e", "en": "a picture of a pine"}','[]','2','1','3');
CREATE INDEX response_of_phase ON response_event (assignment, phase);
COMMIT;