/* Rows of three owners, made up at random, and what PostgreSQL 15.20 answers over them (NULL as \N,
 * rows by line). */
static const char CSV_NORTH[] =
    "region,sex,age,income,big,rate,member,born\n"
    "Vienna,,91,4850512.61,-9223372036854775808,0.25,,1950-06-15\n"
    "维也纳,,28,0.00,9223372036854775807,1,,\n"
    "维也纳,female,91,7020439.73,4611686018427387904,0,,\n"
    "Tyrol,male,35,-1000.00,-1,0.5,false,2024-01-01\n"
    "Tyrol,,42,9999999.99,-989655572241879,0,false,2000-02-29\n"
    "Vienna,,7,9999999.99,-9223372036854775808,1,false,\n"
    "Tyrol,,14,,-1,0,true,\n"
    "Tyrol,male,0,0.00,-1,0.125,true,2024-01-01\n"
    "维也纳,male,49,,9223372036854775807,0.125,true,1999-12-31\n"
    "Tyrol,,14,,-1,0.25,,2024-01-01\n"
    "Tyrol,female,105,-1000.00,-1,0,false,1950-06-15\n"
    "Tyrol,male,49,9279715.01,-9223372036854775808,0.25,false,2024-01-01\n"
    "维也纳,,14,-1000.00,0,0,,2000-02-29\n"
    "Vienna,female,7,,312199304776657,0.25,true,2024-01-01\n"
    "Vienna,female,126,-1000.00,-1,,,1999-12-31\n"
    "Vienna,male,21,-1000.00,-9223372036854775808,0.75,true,1999-12-31\n"
    "维也纳,,112,0.00,4611686018427387904,0,false,\n"
    "Tyrol,male,0,9999999.99,665945823625467,0.125,false,1950-06-15\n"
    "维也纳,female,56,-1000.00,9223372036854775807,0.25,true,1950-06-15\n"
    "维也纳,,126,,-9223372036854775808,0.75,true,\n"
    "Vienna,female,91,,0,0.5,,2024-01-01\n"
    "Tyrol,male,70,0.00,-254733063610892,0.75,,2024-01-01\n"
    "维也纳,male,119,,0,0,true,2024-01-01\n";
static const char CSV_SOUTH[] =
    "region,sex,age,income,big,rate,member,born\n"
    "维也纳,male,98,9999999.99,9223372036854775807,0,false,2024-01-01\n"
    "Vienna,,0,-1000.00,0,0,,1950-06-15\n"
    "Tyrol,female,,0.00,4611686018427387904,0.75,false,1950-06-15\n"
    "维也纳,male,126,,9223372036854775807,0.5,false,2000-02-29\n"
    "Vienna,,119,0.00,4611686018427387904,0,,2024-01-01\n"
    "Tyrol,female,126,0.00,-481588761700522,0,false,2024-01-01\n"
    "维也纳,female,49,,-9223372036854775808,0.75,,1999-12-31\n"
    "维也纳,male,63,0.00,-1,0.75,false,1999-12-31\n"
    "维也纳,female,35,-1000.00,4611686018427387904,0.5,true,1999-12-31\n"
    "Tyrol,female,70,,0,,true,\n"
    "Vienna,female,49,-1000.00,-1,0.75,,1950-06-15\n"
    "维也纳,female,126,9999999.99,9223372036854775807,0.5,,\n"
    "维也纳,,49,9999999.99,4611686018427387904,0,,1999-12-31\n"
    "Vienna,female,35,9999999.99,-9223372036854775808,,true,\n"
    "Vienna,male,112,9999999.99,-824430505284234,0.25,true,1950-06-15\n"
    "Vienna,male,,0.00,9223372036854775807,0.25,true,2000-02-29\n"
    "Vienna,,105,5372176.15,-9223372036854775808,0.125,,1999-12-31\n";
static const char CSV_EAST[] =
    "region,sex,age,income,big,rate,member,born\n"
    "Tyrol,female,77,0.00,-556671527783915,0,false,2024-01-01\n"
    "Vienna,female,63,-1000.00,625654136520497,0.75,true,1999-12-31\n"
    "Tyrol,female,7,3326070.71,0,0.5,,\n"
    "Vienna,,7,0.00,-1,,false,1950-06-15\n"
    "Tyrol,male,7,,0,0.75,true,1950-06-15\n"
    "Tyrol,,105,0.00,-1,1,,\n"
    "Tyrol,female,105,9999999.99,4611686018427387904,0.75,true,2024-01-01\n"
    "Vienna,female,77,9074916.21,-9223372036854775808,1,,2000-02-29\n"
    "Vienna,male,84,,4611686018427387904,0.125,true,2024-01-01\n";
static const char *const QUERY_CASES[][2] = {
    {"SELECT COUNT(*) FROM residents", "49"},
    {"SELECT COUNT(*), COUNT(age), SUM(age), AVG(age) FROM residents",
     "49,47,2961,63.0000000000000000"},
    {"SELECT SUM(income), AVG(income), COUNT(income) FROM residents",
     "128913830.33,3484157.576486486486,37"},
    {"SELECT SUM(big), AVG(big) FROM residents", "18445240793543852778,376433485582527608"},
    {"SELECT SUM(rate), AVG(rate) FROM residents", "16.875,0.375"},
    {"SELECT region, COUNT(*) FROM residents GROUP BY region ORDER BY region",
     "Tyrol,17\nVienna,17\n维也纳,15"},
    {"SELECT region, sex, COUNT(*), AVG(income) FROM residents GROUP BY region, sex ORDER BY 1, 2 "
     "NULLS FIRST",
     "Tyrol,\\N,4,4999999.995000000000\nTyrol,female,7,2220845.116666666667\nTyrol,male,6,3855743."
     "000000000000\nVienna,\\N,6,3370281.458333333333\nVienna,female,7,3814383."
     "240000000000\nVienna,male,4,3332999.996666666667\n维也纳,\\N,5,2499749.997500000000\n维也纳,"
     "female,5,4254609.930000000000\n维也纳,male,5,4999999.995000000000"},
    {"SELECT sex, COUNT(*) AS n FROM residents GROUP BY sex ORDER BY n DESC, sex",
     "female,19\nmale,15\n\\N,15"},
    {"SELECT member, COUNT(*), SUM(age) FROM residents GROUP BY member ORDER BY member DESC",
     "\\N,18,1211\nt,17,903\nf,14,847"},
    {"SELECT sex, SUM(income) FROM residents WHERE age > 40 GROUP BY sex",
     "\\N,30222688.74\nfemale,36090355.92\nmale,29279714.99"},
    {"SELECT COUNT(*) FROM residents WHERE age > 1000", "0"},
    {"SELECT SUM(age), AVG(income), COUNT(*) FROM residents WHERE age > 1000", "\\N,\\N,0"},
    {"SELECT region, SUM(age) FROM residents WHERE age > 1000 GROUP BY region", ""},
    {"SELECT COUNT(*) FROM residents WHERE NOT (age > 40)", "16"},
    {"SELECT COUNT(*) FROM residents WHERE NOT (age > 40 AND income < 100)", "27"},
    {"SELECT COUNT(*) FROM residents WHERE age > 40 OR member", "39"},
    {"SELECT COUNT(*) FROM residents WHERE member IS NOT TRUE", "32"},
    {"SELECT COUNT(*) FROM residents WHERE member IS UNKNOWN", "18"},
    {"SELECT COUNT(*) FROM residents WHERE age IS NULL OR sex IS NOT NULL", "34"},
    {"SELECT COUNT(*) FROM residents WHERE sex IN ('male', 'x')", "15"},
    {"SELECT COUNT(*) FROM residents WHERE sex NOT IN ('male', 'x')", "19"},
    {"SELECT COUNT(*) FROM residents WHERE sex NOT IN ('male', NULL)", "0"},
    {"SELECT COUNT(*) FROM residents WHERE age BETWEEN 20 AND 60", "12"},
    {"SELECT COUNT(*) FROM residents WHERE age NOT BETWEEN 20 AND 60.5", "35"},
    {"SELECT COUNT(*) FROM residents WHERE income >= 1000 AND income <> 9999999.99", "6"},
    {"SELECT COUNT(*) FROM residents WHERE age * 2 + 1 > 91 - age", "34"},
    {"SELECT COUNT(*) FROM residents WHERE income * 2 = 19999999.98", "9"},
    {"SELECT COUNT(*) FROM residents WHERE rate = 0.5", "6"},
    {"SELECT COUNT(*) FROM residents WHERE rate * 2 > age", "2"},
    {"SELECT COUNT(*) FROM residents WHERE born >= '2000-01-01'", "19"},
    {"SELECT COUNT(*) FROM residents WHERE born < DATE '2000-02-29' OR born = '2024-01-01'", "33"},
    {"SELECT COUNT(*) FROM residents WHERE region = '维也纳'", "15"},
    {"SELECT COUNT(*) FROM residents WHERE region > 'U'", "32"},
    {"SELECT COUNT(*) FROM residents WHERE big = 9223372036854775807", "7"},
    {"SELECT COUNT(*) FROM residents WHERE big < 0 AND big + 1 > 0", "0"},
    {"SELECT COUNT(*) FROM residents WHERE -age < -40", "31"},
    {"SELECT region, COUNT(*) * 100 / 49 AS pct, COUNT(*) * 100.0 / 49 FROM residents GROUP BY 1 "
     "ORDER BY pct, 1",
     "维也纳,30,30.6122448979591837\nTyrol,34,34.6938775510204082\nVienna,34,34.6938775510204082"},
    {"SELECT SUM(income) / COUNT(*), SUM(income) / 7, SUM(age) / SUM(income) FROM residents",
     "2630894.496530612245,18416261.475714285714,0.000022968831136428773584"},
    {"SELECT sex, ROUND(AVG(income), 2), ROUND(AVG(age)), AVG(income)::numeric(12,3) FROM "
     "residents GROUP BY sex ORDER BY sex",
     "female,3294361.77,72,3294361.775\nmale,3927771.50,60,3927771.498\n\\N,3351724.06,56,3351724."
     "061"},
    {"SELECT AVG(age)::bigint, AVG(age)::double precision, (SUM(income) - 1.5)::double precision "
     "FROM residents",
     "63,63,128913828.83"},
    {"SELECT COUNT(*)::numeric / 3, CAST(COUNT(*) AS double precision) / 3 FROM residents",
     "16.3333333333333333,16.333333333333332"},
    {"SELECT region, COUNT(*) FROM residents GROUP BY region HAVING COUNT(*) > 12 ORDER BY "
     "COUNT(*) DESC, 1",
     "Tyrol,17\nVienna,17\n维也纳,15"},
    {"SELECT region, AVG(age) FROM residents GROUP BY region HAVING AVG(age) > 50 AND region <> "
     "'Tyrol' ORDER BY region",
     "Vienna,62.1250000000000000\n维也纳,76.0666666666666667"},
    {"SELECT COUNT(*) FROM residents HAVING COUNT(*) > 1000", ""},
    {"SELECT COUNT(*) FROM residents HAVING SUM(age) IS NOT NULL", "49"},
    {"SELECT sex, member, SUM(age) AS s FROM residents GROUP BY sex, member ORDER BY s NULLS "
     "FIRST, sex, member",
     "male,\\N,70\n\\N,t,140\n\\N,f,168\nfemale,f,308\nfemale,t,371\nmale,f,371\nmale,t,392\n\\N,"
     "\\N,525\nfemale,\\N,616"},
    {"SELECT sex, member, SUM(age) AS s FROM residents GROUP BY sex, member ORDER BY s DESC NULLS "
     "LAST, 1 DESC, 2 DESC",
     "female,\\N,616\n\\N,\\N,525\nmale,t,392\nmale,f,371\nfemale,t,371\nfemale,f,308\n\\N,f,"
     "168\n\\N,t,140\nmale,\\N,70"},
    {"SELECT COUNT(*), SUM(income) FROM north.residents", "23,51144667.32"},
    {"SELECT r.region, COUNT(*) FROM east.residents r WHERE r.age > 10 GROUP BY r.region ORDER BY "
     "1",
     "Tyrol,3\nVienna,3"},
    {"SELECT region, SUM(big) FROM south.residents GROUP BY region ORDER BY SUM(big)",
     "Vienna,-4612510448932672140\nTyrol,4611204429665687382\n维也纳,27670116110564327420"},
    {"SELECT SUM(big) * 2, -SUM(age), +COUNT(*), SUM(age) % 7, COUNT(*) % 5 FROM residents",
     "36890481587087705556,-2961,49,0,4"},
    {"SELECT region, member FROM residents GROUP BY region, member ORDER BY region, member",
     "Tyrol,f\nTyrol,t\nTyrol,\\N\nVienna,f\nVienna,t\nVienna,\\N\n维也纳,f\n维也纳,t\n维也纳,\\N"},
    {"SELECT COUNT(*) / 0 FROM residents", "ERROR: division by zero"},
    {"SELECT SUM(age) / (COUNT(*) - 49) FROM residents", "ERROR: division by zero"},
    {"SELECT COUNT(*) + 9223372036854775807 FROM residents", "ERROR: bigint out of range"},
    {"SELECT SUM(big)::bigint FROM residents WHERE big > 0", "ERROR: bigint out of range"},
    {"SELECT COUNT(*)::integer * 100000000 FROM residents", "ERROR: integer out of range"},
    {"SELECT COUNT(*) FROM residents WHERE age * 9223372036854775807 > 0",
     "ERROR: bigint out of range"},
    {"SELECT 1 + COUNT(*), 'x', NULL, true, COUNT(*) > 3 FROM residents", "50,x,\\N,t,t"},
    {"SELECT COUNT(1), COUNT(rate), ROUND(SUM(rate)), ROUND(COUNT(*), 2), ROUND(-2.5), "
     "ROUND(12345, -2) FROM residents",
     "49,45,17,49.00,-3,12300"},
};
