// The report's configuration: one HTML file, grouped by epic, feature and story.
export default {
  name: "RabbitMQ high availability",
  plugins: {
    awesome: {
      options: {
        singleFile: true,
        reportName: "RabbitMQ high availability",
        groupBy: ["epic", "feature", "story"],
      },
    },
  },
};
