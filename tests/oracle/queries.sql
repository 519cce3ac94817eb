-- One query a line; lines that begin with -- are comments. All are asked of three nodes with k = 0 and of PostgreSQL.
SELECT COUNT(*) FROM residents
SELECT COUNT(*), COUNT(age), SUM(age), AVG(age) FROM residents
SELECT COUNT(income), SUM(income), AVG(income) FROM residents
SELECT SUM(income) + SUM(age) AS both, SUM(income) - COUNT(*) AS less, -SUM(age) AS minus FROM residents
SELECT COUNT(big), SUM(big), AVG(big) FROM residents
SELECT SUM("收入"), AVG("收入") AS "平均", COUNT("收入") FROM residents
SELECT SUM("级别"), AVG("级别") FROM residents
SELECT COUNT(*) FROM nobody
SELECT COUNT(*), COUNT(age), SUM(age), AVG(income), SUM("收入") FROM nobody
SELECT region, COUNT(*) FROM nobody GROUP BY region
SELECT COUNT(*), SUM(age) FROM north.residents
SELECT region, COUNT(*), SUM(income) FROM south.residents GROUP BY region
SELECT COUNT(*), AVG(income), SUM(big) FROM east.residents
SELECT COUNT(*) FROM north.nobody
SELECT region, COUNT(*) FROM residents GROUP BY region
SELECT region, COUNT(*) FROM residents GROUP BY region ORDER BY region
SELECT region, COUNT(*) AS n FROM residents GROUP BY region ORDER BY n DESC, region
SELECT region, AVG(age) FROM residents GROUP BY region ORDER BY 2 DESC
SELECT sex, COUNT(*), COUNT(sex) FROM residents GROUP BY sex ORDER BY sex
SELECT sex, COUNT(*) FROM residents GROUP BY sex ORDER BY sex NULLS FIRST
SELECT sex, COUNT(*) FROM residents GROUP BY sex ORDER BY sex DESC
SELECT region, sex, COUNT(*), SUM(age), AVG(age), SUM(income), AVG(income) FROM residents GROUP BY region, sex ORDER BY region, sex
SELECT sex, region, SUM(big) FROM residents GROUP BY sex, region
SELECT member, COUNT(*), SUM(age) FROM residents GROUP BY member ORDER BY member
SELECT member, sex, COUNT(*), AVG("收入") FROM residents GROUP BY member, sex ORDER BY 1, 2
SELECT "级别", COUNT(*), SUM("收入") FROM residents GROUP BY "级别" ORDER BY "级别" DESC
SELECT "级别" AS "档", COUNT(*) AS "人数" FROM residents GROUP BY "级别" ORDER BY "人数" DESC, "档"
SELECT region, "级别", sex, COUNT(*) FROM residents GROUP BY region, "级别", sex ORDER BY region, "级别", sex
SELECT COUNT(*) FROM residents WHERE region = '维也纳'
SELECT COUNT(*), SUM(income) FROM residents WHERE age >= 18
SELECT COUNT(*) FROM residents WHERE age IS NULL
SELECT COUNT(*), SUM(age) FROM residents WHERE income IS NOT NULL AND age BETWEEN 0 AND 126
SELECT COUNT(*) FROM residents WHERE income = -1000.00
SELECT COUNT(*) FROM residents WHERE income = 9999999.99 OR "收入" = -99999999.9999
SELECT COUNT(*) FROM residents WHERE NOT (age > 50)
SELECT COUNT(*) FROM residents WHERE sex <> 'male'
SELECT COUNT(*) FROM residents WHERE sex IN ('female', 'male') AND region IN ('Tyrol', '维也纳')
SELECT COUNT(*) FROM residents WHERE sex NOT IN ('female')
SELECT COUNT(*) FROM residents WHERE born >= DATE '2000-01-01'
SELECT COUNT(*), SUM(age) FROM residents WHERE member
SELECT COUNT(*) FROM residents WHERE member IS NOT TRUE
SELECT COUNT(*), SUM(income) FROM residents WHERE age > 1000
SELECT region, SUM(income) FROM residents WHERE age > 1000 GROUP BY region
SELECT COUNT(*) FROM residents WHERE income + age > 100
SELECT COUNT(*) FROM residents WHERE big = -9223372036854775808 OR big = 9223372036854775807
SELECT region, COUNT(*) FROM residents GROUP BY region HAVING COUNT(*) > 20 ORDER BY region
SELECT region, AVG(income) FROM residents GROUP BY region HAVING AVG(income) IS NOT NULL AND SUM(age) > 0 ORDER BY region
SELECT region, sex, SUM(age) FROM residents GROUP BY region, sex HAVING SUM(age) IS NULL OR COUNT(age) > 3
SELECT SUM(income) / COUNT(*) AS mean, SUM(age) / COUNT(age) AS whole, SUM(age) % 7 AS rest FROM residents
SELECT ROUND(AVG(income), 2), ROUND(AVG(age), 0), ROUND(AVG("收入"), 1) FROM residents
SELECT CAST(AVG(age) AS numeric(10,3)), CAST(COUNT(*) AS numeric) / 3 FROM residents
SELECT 100.0 * COUNT(age) / COUNT(*) AS percent FROM residents
SELECT region, 2 * COUNT(*) + 1, COUNT(*) > 20 AS many FROM residents GROUP BY region ORDER BY region
SELECT VARIANCE(age), VAR_SAMP(age), VAR_POP(age), STDDEV(age), STDDEV_SAMP(age), STDDEV_POP(age) FROM residents
SELECT VARIANCE(income), VAR_POP(income), STDDEV(income), STDDEV_POP(income) FROM residents
SELECT region, sex, COUNT(income), VARIANCE(income), VAR_POP(income), STDDEV(income), STDDEV_POP(income) FROM residents GROUP BY region, sex ORDER BY region, sex
SELECT "级别", VARIANCE("收入"), STDDEV_POP("收入") FROM residents GROUP BY "级别" ORDER BY "级别"
SELECT VARIANCE(age), STDDEV_POP(income), COUNT(age) FROM nobody
SELECT region, STDDEV(age) / AVG(age) AS spread, ROUND(STDDEV(income), 2) FROM residents GROUP BY region HAVING VARIANCE(age) > 0 ORDER BY 2 DESC, region
SELECT sex, VAR_SAMP(age), VAR_POP(age) FROM residents WHERE age = 0 OR age = 127 GROUP BY sex ORDER BY sex
SELECT REGR_COUNT(income, age), REGR_COUNT(age, income), COUNT(*) FROM residents
~ SELECT COVAR_POP(income, age), COVAR_SAMP(income, age), CORR(income, age), CORR(age, income) FROM residents
~ SELECT REGR_AVGX(income, age), REGR_AVGY(income, age), REGR_SXX(income, age), REGR_SYY(income, age), REGR_SXY(income, age) FROM residents
~ SELECT REGR_SLOPE(income, age), REGR_INTERCEPT(income, age), REGR_R2(income, age) FROM residents
~ SELECT region, sex, REGR_COUNT("收入", age), CORR("收入", age), REGR_SLOPE("收入", age), REGR_R2("收入", age), COVAR_SAMP(age, "收入") FROM residents GROUP BY region, sex ORDER BY region, sex
~ SELECT CORR(age, age), REGR_SLOPE(age, age), COVAR_POP(age, age) FROM residents
~ SELECT CORR(income, age), REGR_SXX(income, age), REGR_COUNT(income, age) FROM nobody
SELECT MIN(age), MAX(age), MIN(income), MAX(income), MIN("收入"), MAX("收入") FROM residents
SELECT region, sex, MIN(age), MAX(age), MAX(income) - MIN(income) AS width, COUNT(age) FROM residents GROUP BY region, sex ORDER BY region, sex
SELECT "级别", MIN(income), MAX(income), AVG(income), MIN("收入") FROM residents GROUP BY "级别" ORDER BY "级别"
SELECT MIN(age), MAX(income), MIN(born), MAX(born) FROM nobody
SELECT sex, MIN(born), MAX(born), MAX(born) > MIN(born) AS later FROM residents GROUP BY sex ORDER BY MIN(born), sex
SELECT MAX(age) FROM north.residents WHERE sex = 'female'
SELECT region, MIN(income) FROM residents WHERE income < 0 GROUP BY region HAVING MIN(income) < 0 ORDER BY MIN(income), region
