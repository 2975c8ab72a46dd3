// The runner of every unit test executable.
#define BOOST_TEST_MODULE ds4
#include <boost/test/unit_test.hpp>
