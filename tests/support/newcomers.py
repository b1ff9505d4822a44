"""What people ask the example agent who see it for the first time, and which answer is theirs.

`LIKELY` and `OFF_TOPIC` have to be right, every one. `OTHERWISE` and `OFF_TOPIC_OTHERWISE` ask the
same and the like in other words; they showed what the search lacked, and were used to better it.
`HELD_OUT` and `OFF_TOPIC_HELD_OUT` were written before that, and nothing was fitted to them: they
say how well it does with what it has not met. Add to the others what people ask, and not to these.
"""

from dataclasses import dataclass

# The headings of docs/questions.md.
STARS = "Can I rate with stars?"
CHANGE = "Can I change or undo a rating?"
WHO = "Who may rate an answer?"
AWAY = "What happens to a rating while MLflow is away?"
WHERE = "Where do I see the ratings?"
STREAM = "Does it work with streaming?"
SLOW = "Does feedback make the agent slower?"
INSTALL = "How do I install it?"
STORED = "What does it store about me?"
DATABRICKS = "Does it need Databricks?"
DEPLOY = "How do I deploy it on Databricks Apps?"
JAVASCRIPT = "Do I need to write JavaScript?"
ANONYMOUS = "Can people rate without signing in?"
DATABASE = "Can I use my own database?"
SLACK = "How do I use it without a browser, for a Slack bot say?"
ADD = "How do I add feedback to my agent?"
FAILED = "Can an answer be rated that failed, or that I stopped?"
WHY = "Can I say why, or what the answer should have been?"
VERSIONS = "Which versions of Python and MLflow does it need?"
LOOKS = "How do I change the rating's looks, colours or language?"


@dataclass(frozen=True)
class Likely:
    """A question, the heading in `docs/questions.md` that answers it, and words of the answer."""

    question: str
    heading: str
    phrase: str


LIKELY = (
    Likely("Can I rate with stars?", STARS, "with one to five stars each"),
    Likely("Can I change or withdraw my rating?", CHANGE, "the other thumb replaces it"),
    Likely("Who may rate?", WHO, "The person who asked."),
    Likely("What happens while MLflow is away?", AWAY, "It is kept, and delivered later."),
    Likely("Where do ratings go in MLflow?", WHERE, "as assessments on the trace"),
    Likely("Does it work with streaming?", STREAM, "`done`, with the trace id"),
    Likely("Does it slow my agent down?", SLOW, "a fraction of a millisecond"),
    Likely("How do I install it?", INSTALL, "pip install ."),
    Likely("What does it store about me?", STORED, "It sends nothing"),
    Likely("Does it need Databricks?", DATABRICKS, "on a laptop with SQLite"),
    Likely("How do I deploy on Databricks Apps?", DEPLOY, "`app.yaml` runs the example there"),
    Likely("Do I need to write JavaScript?", JAVASCRIPT, "a ready-made component"),
    Likely("Can anonymous people rate?", ANONYMOUS, "unless you set `require_user`"),
    Likely("Can I use my own database?", DATABASE, "a PostgreSQL database"),
    Likely("Does it work from Slack?", SLACK, "feedback.submit("),
    Likely("How do I add it to my agent?", ADD, "feedback.mount(server)"),
    Likely(
        "Can I rate an answer that failed?", FAILED, "A failed answer has a trace like any other"
    ),
    Likely("Can I say what was wrong?", WHY, "write a comment"),
    Likely("Which Python version does it need?", VERSIONS, "Python 3.10 or later"),
    Likely("Can I change the colours?", LOOKS, "CSS custom properties"),
)

OTHERWISE = (
    ("Is there a way to give three out of five stars?", STARS),
    ("Can users score an answer from 1 to 5?", STARS),
    ("I clicked the wrong thumb, what now?", CHANGE),
    ("How can somebody take their vote back?", CHANGE),
    ("Is everybody allowed to rate my answers?", WHO),
    ("Could a colleague rate the answer that I got?", WHO),
    ("Is my feedback lost if the MLflow server is down?", AWAY),
    ("What if MLflow is offline when somebody clicks?", AWAY),
    ("How do I find the feedback in MLflow afterwards?", WHERE),
    ("Where can I look at what people said?", WHERE),
    ("My agent streams its tokens, is that supported?", STREAM),
    ("Can I use this with server-sent events?", STREAM),
    ("How much latency does it add?", SLOW),
    ("Will my users wait longer for an answer?", SLOW),
    ("What do I pip install?", INSTALL),
    ("How can I get the package?", INSTALL),
    ("Which personal data is kept?", STORED),
    ("What about privacy and GDPR?", STORED),
    ("Can I run this without a Databricks account?", DATABRICKS),
    ("Does it run on my laptop only?", DATABRICKS),
    ("What do I have to configure for Databricks Apps?", DEPLOY),
    ("Can you help me publish this as a Databricks app?", DEPLOY),
    ("How much frontend code do I have to write?", JAVASCRIPT),
    ("I am not a web developer, can I still use it?", JAVASCRIPT),
    ("Do users have to log in before they can vote?", ANONYMOUS),
    ("What if I do not know who the user is?", ANONYMOUS),
    ("Does it support Postgres?", DATABASE),
    ("Where is the data kept, can that be MySQL?", DATABASE),
    ("Can I use it in a Teams or Slack bot?", SLACK),
    ("Is there a Python API to submit feedback?", SLACK),
    ("How do I integrate it into my existing agent?", ADD),
    ("What do I have to change in my code?", ADD),
    ("Can people rate an error message?", FAILED),
    ("I pressed stop halfway, can I still vote?", FAILED),
    ("Can users explain why an answer is bad?", WHY),
    ("Is it possible to give the right answer as well?", WHY),
    ("Can I make the buttons green?", LOOKS),
    ("Is there a German version of the widget?", LOOKS),
    ("Which MLflow version is required?", VERSIONS),
    ("Does this run with Python 3.9?", VERSIONS),
)

HELD_OUT = (
    ("Where are the stars?", STARS),
    ("Is there a five point scale instead of thumbs?", STARS),
    ("How do I unrate an answer?", CHANGE),
    ("I want to switch from thumbs up to thumbs down", CHANGE),
    ("Can a stranger rate my conversation?", WHO),
    ("Who is allowed to vote on an answer?", WHO),
    ("Do I lose feedback when the tracking server crashes?", AWAY),
    ("What if MLflow cannot be reached for an hour?", AWAY),
    ("In which table or page of MLflow do I see the votes?", WHERE),
    ("How do I query all negative feedback?", WHERE),
    ("Do streamed responses still work?", STREAM),
    ("Does it break token streaming?", STREAM),
    ("What is the performance overhead?", SLOW),
    ("Does rating make answers come later?", SLOW),
    ("How do I get this onto my machine?", INSTALL),
    ("Is it available on PyPI?", INSTALL),
    ("What information about users is saved?", STORED),
    ("Does it track me?", STORED),
    ("Does it run outside of Databricks?", DATABRICKS),
    ("Do I have to pay for a Databricks workspace to try it?", DATABRICKS),
    ("Deployment to Databricks", DEPLOY),
    ("How do I run the example as a Databricks App?", DEPLOY),
    ("Is there a ready-made widget for my web page?", JAVASCRIPT),
    ("How do I show the thumbs in my own frontend?", JAVASCRIPT),
    ("Is a login necessary?", ANONYMOUS),
    ("Can guests leave feedback?", ANONYMOUS),
    ("Can the ratings be kept in Postgres instead of SQLite?", DATABASE),
    ("Which database does it use?", DATABASE),
    ("How can a chatbot in Slack collect ratings?", SLACK),
    ("Can I send a rating from a Python script?", SLACK),
    ("What are the steps to add it to an agent?", ADD),
    ("How do I start?", ADD),
    ("Can I downvote an answer that crashed?", FAILED),
    ("Are cancelled answers rateable?", FAILED),
    ("Can I write a comment with my rating?", WHY),
    ("How do I tell you the correct answer?", WHY),
    ("Does it need a recent version of Python?", VERSIONS),
    ("Does it support MLflow 2?", VERSIONS),
    ("Can I translate the widget into French?", LOOKS),
    ("How do I match the colours of my brand?", LOOKS),
)

OFF_TOPIC = (
    "What is MLflow's price per seat?",
    "What will the weather be like tomorrow?",
    "Who won the world cup?",
    "Give me a recipe for pancakes",
    "Write me a poem",
    "What is the capital of France?",
    "How do I tune hyperparameters with MLflow?",
    "How do I register a model in the model registry?",
    "What is the difference between MLflow and Weights & Biases?",
    "How do I log metrics and parameters of a training run?",
    'Translate "good morning" into Spanish',
    "What is 17 times 23?",
    "Who is the president of the United States?",
    "How do I create a Spark cluster?",
    "What is the stock price of Databricks?",
    "Which GPU do I need to train a language model?",
    "How do I write a Dockerfile?",
    "Tell me a joke",
    "What time is it in Tokyo?",
    "How do I fine-tune a model?",
)

OFF_TOPIC_OTHERWISE = (
    "How expensive is an MLflow licence for ten users?",
    "Is it going to rain this weekend?",
    "Which team won the football final last year?",
    "How long do I have to boil an egg?",
    "Can you write a haiku about autumn?",
    "How many people live in Paris?",
    "How do I run a grid search over learning rates?",
    "How do I promote a model version to production?",
    "Is MLflow better than Neptune?",
    "How can I plot the loss of my experiment?",
    "What does the German word Schadenfreude mean?",
    "What is the square root of 144?",
    "When did the second world war end?",
    "How do I read a Delta table in a notebook?",
    "Should I buy shares of Microsoft?",
    "What is the best laptop for deep learning?",
    "How do I set up Kubernetes?",
    "Do you know any good riddles?",
    "How far away is the moon?",
    "How do I quantize an LLM?",
    "What is the meaning of life?",
    "Can you recommend a good film?",
    "How do I package a project as an MLflow project with conda?",
    "How do I build a vector index for retrieval?",
    "Which airline has the cheapest tickets to Rome?",
    "How do I bring my cat to stop scratching the sofa?",
    "What is MLflow autologging?",
    "How do I schedule a job every night?",
    "Who invented the telephone?",
    "How do I reverse a list in Java?",
    "Which prompt template is best for summaries?",
    "How do I grant a colleague access to a Unity Catalog table?",
    "What are the symptoms of the flu?",
    "How do I calculate the AUC of a classifier?",
    "What is a transformer?",
    "How do I delete an MLflow experiment?",
    "How do I cancel my gym membership?",
    "What should I cook for dinner?",
    "How does photosynthesis work?",
    "How tall is the Eiffel Tower?",
    "How much does a Databricks cluster cost per hour?",
    "Who wrote Romeo and Juliet?",
    "What is the fastest animal?",
    "How do I make lasagne?",
    "Write a short story about a dragon",
    "How do I learn Python?",
    "How do I write unit tests with pytest?",
    "Compare MLflow with Kubeflow",
    "How do I use MLflow with scikit-learn?",
    "Where do I download the iris data set?",
    "What's the news today?",
    "What is 5 plus 7?",
    "Can you book a table for two?",
    "How do I change my password?",
    "How do I reset my phone?",
    "How do I connect to a Snowflake database?",
    "How do I write a good prompt?",
    "How do I evaluate a model with an LLM judge?",
    "How do I store images in SQLite?",
    "What is an agent in physics?",
    "How do I reach customer support?",
    "How do I delete my Facebook account?",
    "What is the best star in the sky?",
    "How does Netflix rate films?",
    "Who is your favourite actor?",
    "How old are you?",
    "Which stocks will go up?",
    "How do I install Windows?",
    "How do I install Docker?",
    "What is the context rate of the euro?",
)

OFF_TOPIC_HELD_OUT = (
    "How many calories does a banana have?",
    "Which river is the longest?",
    "How do I repair a bicycle tyre?",
    "Who painted the Mona Lisa?",
    "What is the population of India?",
    "Write an email to my landlord",
    "What are good names for a dog?",
    "How do I sort a list in Python?",
    "How do I merge two branches in git?",
    "How do I compare runs in the MLflow UI?",
    "How do I serve a model with MLflow?",
    "How do I save a scikit-learn model as an artifact?",
    "What is the limit of tokens of GPT-4?",
    "How do I write a SQL join?",
    "Is there life on Mars?",
    "How do I renew my passport?",
    "What does a senior engineer earn?",
    "How do I use Delta Live Tables?",
    "Convert 10 miles to kilometres",
    "How do I send a text message from my phone?",
)
