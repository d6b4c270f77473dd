console.info("plots");
