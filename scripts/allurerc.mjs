// The report's configuration for Allure 3: one HTML file, tests by epic, feature and story.
// Allure 3 takes categories from here alone, so those that the run wrote beside its results are read in.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const file = join(process.env.RMQHA_RESULTS ?? "reports/allure-results", "categories.json");
const categories = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];

export default {
  name: "RabbitMQ high availability",
  categories: { rules: categories.map((rule) => ({ ...rule, expand: true })) },
  plugins: {
    awesome: {
      options: {
        singleFile: true,
        reportName: "RabbitMQ high availability",
        reportLanguage: "en",
        theme: "light",
        groupBy: ["epic", "feature", "story"],
      },
    },
  },
};
